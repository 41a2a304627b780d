"""What steps say about their progress (ARGO_PROGRESS_FILE)."""

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: progress-}
spec:
  entrypoint: main
  volumes: [{name: here, hostPath: {path: %s}}]
  templates:
  - name: main
    steps: [[{name: a, template: a}, {name: b, template: b}]]
  - name: a
    container:
      image: busybox
      command: [sh, -ec]
      args: ['%s']
      volumeMounts: [{name: here, mountPath: /mnt/here}]
  - {name: b, container: {image: busybox, command: ["true"]}}
"""
UNTIL = "until [ -e /mnt/here/%s ]; do sleep 0.02; done; "


def _touch(b, name):
    b.file("", name)


def _kill(p):
    p.kill()
    p.wait()


def it_is_shown_while_the_step_runs(b):
    told = "echo 3/10 > $ARGO_PROGRESS_FILE; " + UNTIL % "go" + "echo 6/10 >> $ARGO_PROGRESS_FILE; " + UNTIL % "end" + "exit 1"
    p = b.start(WORKFLOW % (b.directory, told))
    w = b.wait_for(lambda w: w.nodes.get("[0].a", {}).get("progress") == "3/10" and w.nodes["[0].b"]["phase"] == "Succeeded")
    assert w.status["progress"] == "4/11" == w.nodes["wf"]["progress"], w.status["progress"]
    assert "4/11" in b.call("get", "@latest").stdout
    _touch(b, "go")
    b.wait_for(lambda w: w.nodes["[0].a"]["progress"] == "6/10")
    _touch(b, "end")
    p.wait()
    w = b.get().is_("Failed")
    assert w.nodes["[0].a"]["progress"] == "6/10" and w.status["progress"] == "7/11"


def ways_to_write_it(b):
    for line in ("printf 2/4 > $ARGO_PROGRESS_FILE",
                 "printf \"1/4\\n 2/4 \\n\\n\" > $ARGO_PROGRESS_FILE",
                 "echo 2/4 > /var/run/argo/next; mv /var/run/argo/next /var/run/argo/progress",
                 "exec 3>$ARGO_PROGRESS_FILE; echo 1/4 >&3; echo 2/4 >&3"):
        assert b.run(WORKFLOW % (b.directory, line + "; exit 1")).node("[0].a")["progress"] == "2/4", line


def a_line_that_is_none_is_ignored(b):
    w = b.run(WORKFLOW % (b.directory, "echo 2/4 > $ARGO_PROGRESS_FILE; sleep 0.3; echo half >> $ARGO_PROGRESS_FILE; exit 1"))
    assert w.node("[0].a")["progress"] == "2/4"
    assert "unable to parse progress" in w.err and "'half'" in w.err, w.err


def a_step_that_ends_well_is_done(b):
    w = b.run(WORKFLOW % (b.directory, "echo 2/4 > $ARGO_PROGRESS_FILE")).is_("Succeeded")
    assert w.node("[0].a")["progress"] == "4/4" and w.status["progress"] == "5/5"


def an_engine_that_comes_later_knows_it(b):
    p = b.start(WORKFLOW % (b.directory, "echo 3/10 > $ARGO_PROGRESS_FILE; " + UNTIL % "go" + "echo 6/10 > $ARGO_PROGRESS_FILE; "
                            + UNTIL % "end" + "exit 1"))
    b.wait_for(lambda w: w.nodes.get("[0].a", {}).get("progress") == "3/10")
    _kill(p)
    _touch(b, "go")
    p = b.resume(b.get().workflow["metadata"]["name"])
    b.wait_for(lambda w: w.nodes["[0].a"]["progress"] == "6/10")
    _touch(b, "end")
    p.wait()
    assert b.get().is_("Failed").status["progress"] == "7/11"


def plain_processes_have_it_too(b):
    text = (WORKFLOW % (b.directory, "echo 2/4 > $ARGO_PROGRESS_FILE; exit 1")).replace("volumeMounts", "#")
    w = b.run(text, "--runtime", "none")
    assert w.node("[0].a")["progress"] == "2/4" and w.status["progress"] == "3/5"

"""Inputs of the bench: workflows, and the same work for make and ninja.

A shape says which steps a step waits for: `independent` none, `chain` the one before, `layered`
three of the layer before (layers of 50), as bench/floor.c has it.
"""
WIDTH = 50


def needs(shape, i):
    if shape == "chain":
        return [i - 1] if i else []
    if shape == "layered" and i >= WIDTH:
        first = (i // WIDTH - 1) * WIDTH
        return [first + (i + k) % WIDTH for k in range(3)]
    return []


def head(name, entrypoint="main"):
    return ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: %s-\n"
            "spec:\n  entrypoint: %s\n  templates:\n" % (name, entrypoint))


def container(name, words, mount=None, image="busybox"):
    """`mount`: (host directory, place) that the container sees."""
    text = "  - name: %s\n    container: {image: \"%s\", command: [%s]%s}\n" % (
        name, image, ", ".join('"%s"' % w for w in words),
        ", volumeMounts: [{name: host, mountPath: %s, readOnly: true}]" % mount[1] if mount else "")
    return text + ("    volumes: [{name: host, hostPath: {path: %s}}]\n" % mount[0] if mount else "")


def dag(shape, count, words=("/bin/true",), mount=None, image="busybox"):
    text = head("bench-" + shape) + container("work", words, mount, image) + "  - name: main\n    dag:\n      tasks:\n"
    for i in range(count):
        before = ", ".join("t%d" % n for n in needs(shape, i))
        text += "      - {name: t%d, template: work%s}\n" % (i, ", dependencies: [%s]" % before if before else "")
    return text


def single(words=("/bin/true",), mount=None, image="busybox"):
    return head("bench-one", "work") + container("work", words, mount, image)


def makefile(shape, count):
    text = ".PHONY: all %s\nall: %s\n" % ((" ".join("t%d" % i for i in range(count)),) * 2)
    return text + "".join("t%d: %s\n\t@/bin/true\n" % (i, " ".join("t%d" % n for n in needs(shape, i))) for i in range(count))


def ninjafile(shape, count):
    return "rule work\n  command = /bin/true\n" + "".join(
        "build t%d: work %s\n" % (i, " ".join("t%d" % n for n in needs(shape, i))) for i in range(count))


def sleepers(count, seconds):
    return (head("bench-sleep") + container("work", ("sleep", seconds)) +
            "  - name: main\n    steps:\n    - - name: s\n        template: work\n        withSequence: {count: \"%d\"}\n" % count)


def large_yaml(count):
    """A workflow of `count` tasks as people write them: about 300 bytes a task."""
    text = head("bench-large") + ("  - name: work\n    inputs:\n      parameters:\n      - name: input\n      - name: output\n"
                                  "    container:\n      image: busybox\n      command: [/bin/true]\n"
                                  "      args: [\"{{inputs.parameters.input}}\", \"{{inputs.parameters.output}}\"]\n"
                                  "  - name: main\n    dag:\n      tasks:\n")
    for i in range(count):
        text += ("      - name: process-part-%d\n        template: work\n" % i)
        before = needs("layered", i)
        if before:
            text += "        depends: \"%s\"\n" % " && ".join("process-part-%d" % n for n in before)
        text += ("        arguments:\n          parameters:\n          - name: input\n            value: \"/data/incoming/part-%d.csv\"\n"
                 "          - name: output\n            value: \"/data/features/part-%d.parquet\"\n" % (i, i))
    return text


def artifact(mib, programs):
    """One step writes a file of `mib` MiB, the next one gets it; the last act of the one and the first of the other is
    to say when (nanoseconds). `programs`: host directory that `when` is in."""
    return head("bench-artifact") + """\
  - name: main
    dag:
      tasks:
      - {name: produce, template: produce}
      - name: consume
        template: consume
        dependencies: [produce]
        arguments: {artifacts: [{name: data, from: "{{tasks.produce.outputs.artifacts.data}}"}]}
  - name: produce
    container:
      image: busybox
      command: [sh, -c]
      args: ["mkdir -p /tmp/out && dd if=/dev/zero of=/tmp/out/data bs=1M count=%d 2>/dev/null && exec /srv/when /tmp/out/when"]
      volumeMounts: [{name: programs, mountPath: /srv, readOnly: true}]
    outputs:
      parameters: [{name: when, valueFrom: {path: /tmp/out/when}}]
      artifacts: [{name: data, path: /tmp/out/data}]
  - name: consume
    inputs:
      artifacts: [{name: data, path: /tmp/in/data}]
    container:
      image: busybox
      command: [/srv/when, /tmp/when, /tmp/in/data, "%d"]
      volumeMounts: [{name: programs, mountPath: /srv, readOnly: true}]
    outputs:
      parameters: [{name: when, valueFrom: {path: /tmp/when}}]
  volumes: [{name: programs, hostPath: {path: %s}}]
""" % (mib, mib << 20, programs)

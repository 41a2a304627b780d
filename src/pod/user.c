/* Who a step is: runAsUser and runAsGroup, in an image over its USER, names looked up in its own files. What the
 * container says counts before the pod, which is the template's or else the workflow's.
 * Reference: Kubernetes securityContext; containerd's oci.WithUser. */
#include "pod/pod_p.h"

struct identity {
    int64_t uid, gid; /* what the documents say, or -1 */
    bool non_root;
};

static bool as_asked(const struct pod *p, struct identity *who, struct err *e)
{
    *who = (struct identity){-1, -1, pod_right(p, "runAsNonRoot")};
    return pod_id(pod_right_field(p, "runAsUser"), "runAsUser", &who->uid, e) && pod_id(pod_right_field(p, "runAsGroup"), "runAsGroup", &who->gid, e);
}

/* Field `n` of a line of /etc/passwd or /etc/group. */
static struct str field(struct str line, int n)
{
    struct str part = STR_NONE;
    for (; n >= 0; n--) {
        if (!line.p) return STR("");
        str_cut(line, ':', &part, &line);
    }
    return part;
}

/* The line about that number (field 2) or, `name` being given, that name (field 0). */
static bool entry_find(struct str file, struct str name, int64_t id, struct str *line)
{
    int64_t n;
    while (file.p) {
        str_cut(file, '\n', line, &file);
        if (name.n ? str_eq(field(*line, 0), name) : str_to_i64(field(*line, 2), &n) && n == id && field(*line, 0).n) return true;
    }
    return false;
}

static bool id_parse(struct str text, int64_t *id) { return str_to_i64(text, id) && *id >= 0 && *id < UINT32_MAX; }

/* The user that the image names. */
static bool image_user(const struct pod *p, struct identity *who, struct err *e)
{
    struct str user, group, line;
    str_cut(p->image.user, ':', &user, &group);
    who->uid = who->gid = -1;
    if (!user.n) user = STR("0");
    if (!id_parse(user, &who->uid)) {
        if (!entry_find(p->image.passwd, user, -1, &line) || !id_parse(field(line, 2), &who->uid))
            return err_set(e, ERR_SPEC, "unable to find user %.*s: no matching entries in the image's passwd file", STR_ARG(user));
        if (!group.n && id_parse(field(line, 3), &who->gid)) return true;
    }
    if (!group.n || id_parse(group, &who->gid)) return true;
    if (entry_find(p->image.group, group, -1, &line) && id_parse(field(line, 2), &who->gid)) return true;
    return err_set(e, ERR_SPEC, "unable to find group %.*s: no matching entries in the image's group file", STR_ARG(group));
}

static bool non_root_check(const struct pod *p, const struct identity *asked, int64_t uid, struct err *e)
{
    struct str user, group;
    int64_t number;
    str_cut(p->image.user, ':', &user, &group);
    bool host = asked->uid < 0 && p->image.kind != IMAGE_STORED; /* the user is who runs Skiff */
    if (!asked->non_root || (host && p->in->one_user)) return true;
    if (asked->uid == 0) return err_set(e, ERR_SPEC, "container's runAsUser breaks non-root policy");
    if (asked->uid < 0 && user.n && !id_parse(user, &number))
        return err_set(e, ERR_SPEC, "container has runAsNonRoot and image has non-numeric user (%.*s), cannot verify user is non-root",
                       STR_ARG(user));
    return (uid != 0 && !host) || err_set(e, ERR_SPEC, "container has runAsNonRoot and image will run as root");
}

bool pod_user(struct pod *p, struct err *e)
{
    struct identity asked, who;
    struct str line = STR_NONE;
    if (!as_asked(p, &asked, e)) return false;
    who = asked;
    p->uid = asked.uid;
    p->gid = asked.gid;
    if (p->in->engine_image && asked.non_root && asked.uid < 0)
        return err_set(e, ERR_UNSUPPORTED, "securityContext.runAsNonRoot without runAsUser is not supported by --runtime=container");
    if (p->image.kind != IMAGE_STORED) return non_root_check(p, &asked, asked.uid, e);
    if (asked.uid < 0 && !image_user(p, &who, e)) return false;
    bool known = entry_find(p->image.passwd, STR_NONE, who.uid, &line);
    if (who.gid < 0 && (!known || !id_parse(field(line, 3), &who.gid))) who.gid = 0;
    if (asked.gid >= 0) who.gid = asked.gid;
    p->home = known && field(line, 5).n ? field(line, 5) : STR("/");
    if (!non_root_check(p, &asked, who.uid, e)) return false;
    bool root = who.uid == 0 && who.gid == 0;
    if (asked.uid >= 0 || asked.gid >= 0 || !(root || p->in->one_user)) {
        p->uid = who.uid;
        p->gid = who.gid;
    } else if (!root) {
        p->notice = str_fmt(p->a, "the image's user %.*s is ignored: without root a step has one user id", STR_ARG(p->image.user));
    }
    return true;
}

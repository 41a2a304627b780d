/* Networks of pods, with `network = "private"`: a namespace is taken when the first container of a pod starts, and is
 * kept for the others until the pod is over (step/nets.h makes them).
 *
 * After a crash the descriptors are with the supervisors, and come back from them. Runs on: the loop thread. */
#include <linux/capability.h>
#include <unistd.h>

#include "os/proc.h"
#include "exec/exec_p.h"

void networks_close(struct exec *x)
{
    nets_close(x->nets);
    x->nets = NULL;
}

static bool open_nets(struct exec *x, struct err *e)
{
    networks_close(x);
    x->nets = nets_open(x->o.launcher, x->addresses ? &x->subnet : NULL, e);
    return x->nets != NULL;
}

bool networks_prepare(struct exec *x, struct err *e)
{
    if (!subnet_parse(config_str(x->o.config, CONFIG_SUBNET), &x->subnet, e)) return err_ctx(e, "network_subnet");
    if (!config_is(x->o.config, CONFIG_NETWORK, "private")) return true;
    if (x->plain) return err_set(e, ERR_USAGE, "--network=private needs a sandbox: run without --runtime=none");
    if (x->containers)
        return err_set(e, ERR_USAGE, "--network=private is of Skiff's own sandbox: with --runtime=container, container.network says where pods are");
    x->private_net = true;
    x->addresses = geteuid() == 0 && proc_has_capability(CAP_NET_ADMIN) && proc_has_capability(CAP_SYS_ADMIN);
    if (!x->addresses)
        x->notice = STR("without root a pod's private network has only a loopback device: nothing outside of the pod is reached");
    return open_nets(x, e);
}

struct pod_network *pod_network_of(const struct active *l, struct node *n)
{
    uint32_t pod = node_index(node_pod(n));
    for (size_t i = 0; i < l->networks.n; i++)
        if (l->networks.items[i].pod == pod) return &l->networks.items[i];
    return NULL;
}

static struct pod_network *add(struct active *l, struct node *n, int fd, const char *address)
{
    struct node *pod = node_pod(n);
    struct pod_network p = {.pod = node_index(pod), .fd = fd};
    snprintf(p.address, sizeof p.address, "%s", address);
    int user_ns = l->x->addresses ? -1 : net_user_ns(fd, &p.user_ns);
    if (user_ns >= 0) close(user_ns);
    VEC_PUSH(&l->networks, p);
    if (p.address[0]) run_pod_address(l->run, pod, str_of(p.address));
    return &l->networks.items[l->networks.n - 1];
}

/* A keeper that is gone, or could not make one, gets a successor. */
static bool take(struct exec *x, struct net *out, struct err *e)
{
    if (x->nets && nets_take(x->nets, out, e)) return true;
    return open_nets(x, e) && nets_take(x->nets, out, e);
}

bool pod_network_take(struct job *j, struct pod_network **out, struct err *e)
{
    struct active *l = j->live;
    struct net net;
    *out = pod_network_of(l, j->node);
    if (*out || !l->x->private_net) return true;
    const struct val *tmpl = node_template(l->run, j->node, e), *workflow = tmpl ? node_workflow(l->run, j->node, e) : NULL;
    bool host = false;
    if (!workflow || !pod_uses_host_network(&l->x->scratch, workflow, tmpl, &host, e)) return false;
    if (host) return true;
    if (!take(l->x, &net, e)) return false;
    *out = add(l, j->node, net.fd, net.address);
    return true;
}

void pod_network_known(struct job *j, int fd, struct str address)
{
    if (fd < 0) return;
    if (!j->live || pod_network_of(j->live, j->node)) close(fd); /* another container has told */
    else add(j->live, j->node, fd, str_z(&j->x->scratch, address));
}

static bool has_jobs(const struct active *l, struct node *pod)
{
    const struct node *c;
    if (node_index(pod) < l->cap_jobs && l->jobs[node_index(pod)]) return true;
    for (uint32_t i = 0; node_has_containers(pod) && (c = node_set_container(pod, i)); i++)
        if (node_index(c) < l->cap_jobs && l->jobs[node_index(c)]) return true;
    return false;
}

void pod_network_drop(struct active *l, struct node *n)
{
    struct pod_network *p = pod_network_of(l, n);
    if (!p || !phase_fulfilled(node_phase(node_pod(n))) || has_jobs(l, node_pod(n))) return;
    struct net net = {.fd = p->fd};
    memcpy(net.address, p->address, sizeof net.address);
    if (l->x->nets) nets_give_back(l->x->nets, &net);
    else close(net.fd);
    *p = l->networks.items[--l->networks.n];
}

void pod_networks_free(struct active *l)
{
    for (size_t i = 0; i < l->networks.n; i++) close(l->networks.items[i].fd);
    VEC_FINI(&l->networks);
}

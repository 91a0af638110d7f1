/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCTL_ROOT "/proc/sys/net/ipv4"

static void
assert_nl(int result)
{
    if (result < 0)
        g_error("netlink: %s", nl_geterror(result));
}

static struct nl_sock *
open_netlink(void)
{
    struct nl_sock *sock = nl_socket_alloc();

    g_assert_nonnull(sock);
    assert_nl(nl_connect(sock, NETLINK_ROUTE));
    return sock;
}

static int
index_of(const char *name)
{
    unsigned ifindex = if_nametoindex(name);

    g_assert_cmpuint(ifindex, !=, 0);
    return (int) ifindex;
}

static struct nl_addr *
parse_addr(const char *text, int family)
{
    struct nl_addr *addr;

    assert_nl(nl_addr_parse(text, family, &addr));
    return addr;
}

void
kernel_enter(void)
{
    g_assert_cmpint(unshare(CLONE_NEWNET | CLONE_NEWNS), ==, 0);
    g_assert_cmpint(mount("none", "/", "", MS_REC | MS_PRIVATE, NULL), ==, 0);
    g_assert_cmpint(mount("sysfs", "/sys", "sysfs", 0, NULL), ==, 0);
    kernel_set_up("lo", TRUE);
}

static int
add_link(struct rtnl_link *link, const char *name)
{
    struct nl_sock *sock = open_netlink();

    rtnl_link_set_name(link, name);
    assert_nl(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL));
    nl_socket_free(sock);
    return index_of(name);
}

int
kernel_add_veth(const char *name, const char *peer)
{
    struct rtnl_link *link = rtnl_link_veth_alloc();
    struct rtnl_link *other = rtnl_link_veth_get_peer(link);
    int               ifindex;

    rtnl_link_set_name(other, peer);
    rtnl_link_put(other);
    ifindex = add_link(link, name);
    rtnl_link_veth_release(link);
    kernel_set_up(name, TRUE);
    kernel_set_up(peer, TRUE);
    return ifindex;
}

int
kernel_add_bridge(const char *name)
{
    struct rtnl_link *link = rtnl_link_bridge_alloc();
    int               ifindex = add_link(link, name);

    rtnl_link_put(link);
    kernel_set_up(name, TRUE);
    return ifindex;
}

int
kernel_add_macvlan(const char *name, const char *lower)
{
    struct rtnl_link *link = rtnl_link_macvlan_alloc();
    int               ifindex;

    rtnl_link_set_link(link, index_of(lower));
    ifindex = add_link(link, name);
    rtnl_link_put(link);
    return ifindex;
}

void
kernel_delete_link(const char *name)
{
    struct nl_sock   *sock = open_netlink();
    struct rtnl_link *link = rtnl_link_alloc();

    rtnl_link_set_ifindex(link, index_of(name));
    assert_nl(rtnl_link_delete(sock, link));
    rtnl_link_put(link);
    nl_socket_free(sock);
}

static void
change_link(const char *name, struct rtnl_link *change)
{
    struct nl_sock   *sock = open_netlink();
    struct rtnl_link *link = rtnl_link_alloc();

    rtnl_link_set_ifindex(link, index_of(name));
    assert_nl(rtnl_link_change(sock, link, change, 0));
    rtnl_link_put(link);
    rtnl_link_put(change);
    nl_socket_free(sock);
}

void
kernel_set_up(const char *name, gboolean up)
{
    struct rtnl_link *change = rtnl_link_alloc();

    if (up)
        rtnl_link_set_flags(change, IFF_UP);
    else
        rtnl_link_unset_flags(change, IFF_UP);
    change_link(name, change);
}

void
kernel_set_noarp(const char *name)
{
    struct rtnl_link *change = rtnl_link_alloc();

    rtnl_link_set_flags(change, IFF_NOARP);
    change_link(name, change);
}

void
kernel_set_master(const char *name, const char *bridge)
{
    struct rtnl_link *change = rtnl_link_alloc();

    rtnl_link_set_master(change, index_of(bridge));
    change_link(name, change);
}

void
kernel_rename(const char *name, const char *to)
{
    struct rtnl_link *change = rtnl_link_alloc();

    rtnl_link_set_name(change, to);
    change_link(name, change);
}

void
kernel_set_mac(const char *name, const char *mac)
{
    struct rtnl_link *change = rtnl_link_alloc();
    struct nl_addr   *addr = parse_addr(mac, AF_LLC);

    rtnl_link_set_addr(change, addr);
    nl_addr_put(addr);
    change_link(name, change);
}

static struct rtnl_addr *
make_address(const char *name, const char *address)
{
    struct rtnl_addr *own = rtnl_addr_alloc();
    struct nl_addr   *local = parse_addr(address, AF_INET);

    rtnl_addr_set_ifindex(own, index_of(name));
    assert_nl(rtnl_addr_set_local(own, local));
    nl_addr_put(local);
    return own;
}

void
kernel_add_address(const char *name, const char *address)
{
    struct nl_sock   *sock = open_netlink();
    struct rtnl_addr *own = make_address(name, address);

    assert_nl(rtnl_addr_add(sock, own, 0));
    rtnl_addr_put(own);
    nl_socket_free(sock);
}

void
kernel_delete_address(const char *name, const char *address)
{
    struct nl_sock   *sock = open_netlink();
    struct rtnl_addr *own = make_address(name, address);

    assert_nl(rtnl_addr_delete(sock, own, 0));
    rtnl_addr_put(own);
    nl_socket_free(sock);
}

void
kernel_add_route(const char *dst, const char *gateway, const char *name, int protocol)
{
    struct nl_sock      *sock = open_netlink();
    struct rtnl_route   *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr      *to = parse_addr(dst, AF_INET);
    struct nl_addr      *via = parse_addr(gateway, AF_INET);

    assert_nl(rtnl_route_set_dst(route, to));
    rtnl_route_set_protocol(route, (uint8_t) protocol);
    rtnl_route_nh_set_ifindex(hop, index_of(name));
    rtnl_route_nh_set_gateway(hop, via);
    rtnl_route_add_nexthop(route, hop);
    assert_nl(rtnl_route_add(sock, route, NLM_F_CREATE | NLM_F_EXCL));
    nl_addr_put(to);
    nl_addr_put(via);
    rtnl_route_put(route);
    nl_socket_free(sock);
}

static void
add_neighbour(const char *name, const char *address, const char *mac, int state, unsigned flags)
{
    struct nl_sock    *sock = open_netlink();
    struct rtnl_neigh *neigh = rtnl_neigh_alloc();
    struct nl_addr    *dst = parse_addr(address, AF_INET);

    rtnl_neigh_set_ifindex(neigh, index_of(name));
    assert_nl(rtnl_neigh_set_dst(neigh, dst));
    nl_addr_put(dst);
    if (mac) {
        struct nl_addr *lladdr = parse_addr(mac, AF_LLC);

        rtnl_neigh_set_lladdr(neigh, lladdr);
        nl_addr_put(lladdr);
    }
    rtnl_neigh_set_state(neigh, state);
    rtnl_neigh_set_flags(neigh, flags);
    assert_nl(rtnl_neigh_add(sock, neigh, NLM_F_CREATE | NLM_F_REPLACE));
    rtnl_neigh_put(neigh);
    nl_socket_free(sock);
}

void
kernel_add_neighbour(const char *name, const char *address, const char *mac, int state)
{
    add_neighbour(name, address, mac, state, 0);
}

void
kernel_add_proxy(const char *name, const char *address)
{
    add_neighbour(name, address, NULL, NUD_PERMANENT, NTF_PROXY);
}

void
kernel_add_rule(int priority, int table)
{
    struct nl_sock   *sock = open_netlink();
    struct rtnl_rule *rule = rtnl_rule_alloc();

    rtnl_rule_set_family(rule, AF_INET);
    rtnl_rule_set_prio(rule, (uint32_t) priority);
    rtnl_rule_set_table(rule, (uint32_t) table);
    rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
    assert_nl(rtnl_rule_add(sock, rule, NLM_F_CREATE | NLM_F_EXCL));
    rtnl_rule_put(rule);
    nl_socket_free(sock);
}

char *
kernel_nft(const char *commands)
{
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
    char           *output;

    g_assert_nonnull(context);
    g_assert_cmpint(nft_ctx_buffer_output(context), ==, 0);
    g_assert_cmpint(nft_ctx_buffer_error(context), ==, 0);
    if (nft_run_cmd_from_buffer(context, commands) != 0)
        g_error("%s", nft_ctx_get_error_buffer(context));
    output = g_strdup(nft_ctx_get_output_buffer(context));
    nft_ctx_free(context);
    return output;
}

char *
kernel_run(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autofree char *errors = NULL;
    char            *output = NULL;
    GError          *error = NULL;
    int              status;

    g_spawn_sync(
        NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status, &error);
    g_assert_no_error(error);
    if (status != 0)
        g_error("%s: %s", line, errors);
    return output;
}

char *
kernel_read_sysctl(const char *path)
{
    g_autofree char *file = g_build_filename(SYSCTL_ROOT, path, NULL);
    char            *text = NULL;
    GError          *error = NULL;

    g_file_get_contents(file, &text, NULL, &error);
    g_assert_no_error(error);
    return g_strchomp(text);
}

void
kernel_write_sysctl(const char *path, const char *value)
{
    g_autofree char *file = g_build_filename(SYSCTL_ROOT, path, NULL);
    int              fd = open(file, O_WRONLY | O_CLOEXEC);
    ssize_t          written;

    g_assert_cmpint(fd, >=, 0);
    written = write(fd, value, strlen(value));
    (void) close(fd);
    g_assert_cmpint(written, ==, strlen(value));
}

void
kernel_assert_sysctl(const char *path, const char *value)
{
    g_autofree char *text = kernel_read_sysctl(path);

    g_assert_cmpstr(text, ==, value);
}

static void
append_sysctls(GString *text, const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, g_ptr_array_index(names, i), NULL);
        g_autofree char *value = NULL;

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            append_sysctls(text, path);
        else if (g_file_get_contents(path, &value, NULL, NULL))
            g_string_append_printf(text, "%s = %s", path, value);
    }
}

static void
append_queue_lengths(GString *text, struct nl_sock *sock)
{
    struct nl_cache *cache;

    assert_nl(rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache));
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct rtnl_link *link = (struct rtnl_link *) object;

        g_string_append_printf(
            text, "%s txqlen %u\n", rtnl_link_get_name(link), rtnl_link_get_txqlen(link));
    }
    nl_cache_free(cache);
}

char *
kernel_state(void)
{
    g_autofree char *rules = kernel_nft("list ruleset");
    g_autofree char *routes = kernel_run("ip -4 route show table all");
    struct nl_sock  *sock = open_netlink();
    GString         *text = g_string_new(rules);

    g_string_append(text, routes);
    append_sysctls(text, SYSCTL_ROOT);
    append_queue_lengths(text, sock);
    nl_socket_free(sock);
    return g_string_free(text, FALSE);
}

char *
kernel_routes_to(const char *dst)
{
    g_autofree char *line = g_strconcat("ip -4 -N route show ", dst, NULL);
    g_autofree char *routes = kernel_run(line);
    g_auto(GStrv) lines = g_strsplit(routes, "\n", -1);
    GString *text = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        g_strstrip(lines[i]);
        if (lines[i][0])
            g_string_append_printf(text, "%s\n", lines[i]);
    }
    return g_string_free(text, FALSE);
}

char *
kernel_runtime_dir(void)
{
    GError *error = NULL;
    char   *directory = g_dir_make_tmp("nm-kvm-routed-XXXXXX", &error);

    g_assert_no_error(error);
    return directory;
}

void
kernel_remove_runtime_dir(char *directory, const char *file)
{
    if (file) {
        g_autofree char *path = g_build_filename(directory, file, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    g_free(directory);
}

static gboolean
set_true(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
    return G_SOURCE_REMOVE;
}

void
kernel_spin(guint ms)
{
    gboolean done = FALSE;

    g_timeout_add(ms, set_true, &done);
    while (!done)
        g_main_context_iteration(NULL, TRUE);
}

KvmrPlan *
kernel_plan_new(void)
{
    g_autoptr(KvmrSnapshot) snapshot = kvmr_snapshot_new();
    g_autoptr(GPtrArray) networks = g_ptr_array_new();

    return kvmr_plan_new(networks, snapshot);
}

void
kernel_plan_value(KvmrPlan *plan, const char *name, KvmrValueKey key, gint64 value)
{
    const KvmrPlanValue wanted = {
        .ifindex = index_of(name), .ifname = name, .key = key, .value = value};

    g_array_append_val(plan->values, wanted);
}

void
kernel_plan_route(KvmrPlan *plan, const char *dst, const char *gateway, const char *name)
{
    KvmrRoute route = {.ifindex = index_of(name), .protocol = KVMR_ROUTE_PROTOCOL};
    GError   *error = NULL;

    kvmr_prefix4_parse(dst, &route.dst, &error);
    g_assert_no_error(error);
    kvmr_addr4_parse(gateway, &route.gateway, &error);
    g_assert_no_error(error);
    g_array_append_val(plan->routes, route);
}

void
kernel_plan_rules(KvmrPlan *plan, const char *rule)
{
    KvmrRuleset *rules = plan->ruleset;

    kvmr_ruleset_add_counter(rules, KVMR_FAMILY_ARP, "arp_refused");
    kvmr_ruleset_add_set(rules, KVMR_FAMILY_ARP, "own", "ipv4_addr", NULL, TRUE);
    kvmr_ruleset_add_element(rules, KVMR_FAMILY_ARP, "own", "10.9.0.0/16");
    kvmr_ruleset_add_chain(
        rules, KVMR_FAMILY_ARP, "output", "type filter hook output priority 0; policy accept;");
    kvmr_ruleset_add_rule(rules, KVMR_FAMILY_ARP, "output", "%s", rule);
    kvmr_ruleset_add_chain(
        rules, KVMR_FAMILY_IP, "forward", "type filter hook forward priority 0; policy accept;");
}

KvmrHost *
kernel_host_new(const char *directory)
{
    GError   *error = NULL;
    KvmrHost *host = kvmr_host_new(directory, &error);

    g_assert_no_error(error);
    return host;
}

KvmrSnapshot *
kernel_snapshot(KvmrHost *host)
{
    GError       *error = NULL;
    KvmrSnapshot *snapshot = kvmr_host_snapshot(host, &error);

    g_assert_no_error(error);
    return snapshot;
}

gboolean
kernel_apply(KvmrHost *host, const KvmrPlan *plan)
{
    g_autoptr(KvmrSnapshot) snapshot = kernel_snapshot(host);
    GError  *error = NULL;
    gboolean changed;

    kvmr_host_apply(host, plan, snapshot, &changed, &error);
    g_assert_no_error(error);
    return changed;
}

gboolean
kernel_apply_nothing(KvmrHost *host)
{
    g_autoptr(KvmrPlan) nothing = kernel_plan_new();

    return kernel_apply(host, nothing);
}

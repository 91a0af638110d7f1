/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-qeth.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Longer than any of the driver's words. */
#define WORD_SIZE 64

typedef struct {
    const char *word;
    int         value;
} Word;

static const Word flags[] = {{"0", 0}, {"1", 1}, {NULL, KVMR_VALUE_NONE}};

static const Word bridge_roles[] = {
    {"none", 0}, {"primary", 1}, {"secondary", 1}, {NULL, KVMR_VALUE_NONE}};

/* A plus says that broadcasts are not echoed. */
static const Word routers[] = {
    {"no", KVMR_ROUTE4_NO},
    {"primary router", KVMR_ROUTE4_ROUTER},
    {"secondary router", KVMR_ROUTE4_ROUTER},
    {"multicast router", KVMR_ROUTE4_MULTICAST},
    {"multicast router+", KVMR_ROUTE4_MULTICAST},
    {"primary connector", KVMR_ROUTE4_CONNECTOR},
    {"primary connector+", KVMR_ROUTE4_CONNECTOR},
    {"secondary connector", KVMR_ROUTE4_CONNECTOR},
    {"secondary connector+", KVMR_ROUTE4_CONNECTOR},
    {NULL, KVMR_ROUTE4_UNKNOWN},
};

/* What is read in layer 3 and in layer 2. */
static const char *const attributes3[] = {"layer2", "route4", NULL};
static const char *const attributes2[] = {"layer2",
                                          "bridge_role",
                                          "vnicc/flooding",
                                          "vnicc/learning",
                                          "vnicc/rx_bcast",
                                          "vnicc/bridge_invisible",
                                          NULL};

static char *
path_of(const char *sysfs, const char *ifname, const char *attribute)
{
    return g_strdup_printf("%s/%s/device/%s", sysfs, ifname, attribute);
}

/* Never more than a word, and never waiting, whatever kind of file that is. */
static gboolean
read_word(const char *path, char text[WORD_SIZE + 1])
{
    int     fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length;

    if (fd < 0)
        return FALSE;
    length = read(fd, text, WORD_SIZE);
    (void) close(fd);
    if (length <= 0)
        return FALSE;
    text[length] = '\0';
    if (text[length - 1] == '\n')
        text[length - 1] = '\0';
    return TRUE;
}

static int
read_value(const char *sysfs, const char *ifname, const char *attribute, const Word *words)
{
    g_autofree char *path = path_of(sysfs, ifname, attribute);
    char             text[WORD_SIZE + 1];
    gboolean         known = read_word(path, text);
    guint            i = 0;

    for (; words[i].word; i++) {
        if (known && strcmp(words[i].word, text) == 0)
            break;
    }
    return words[i].value;
}

/* All other types are of OSA: "OSD_10GIG", "OSM_1000", "OSX_10GIG", "Virt.NIC QDIO", … */
static int
read_hipersockets(const char *sysfs, const char *ifname)
{
    g_autofree char *path = path_of(sysfs, ifname, "card_type");
    char             text[WORD_SIZE + 1];

    if (!read_word(path, text))
        return KVMR_VALUE_NONE;
    return strcmp(text, "HiperSockets") == 0 || strcmp(text, "Virt.NIC Hiper") == 0;
}

void
kvmr_qeth_read(const char *sysfs, const char *ifname, KvmrQeth *qeth)
{
    kvmr_qeth_init(qeth);
    if (strchr(ifname, '/') || strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
        return;

    qeth->layer2 = read_value(sysfs, ifname, "layer2", flags);
    if (qeth->layer2 == KVMR_VALUE_NONE)
        return;
    qeth->hipersockets = read_hipersockets(sysfs, ifname);
    if (qeth->layer2 == 0) {
        qeth->route4 = (KvmrRoute4) read_value(sysfs, ifname, "route4", routers);
        return;
    }
    qeth->bridge_port = read_value(sysfs, ifname, "bridge_role", bridge_roles);
    qeth->flooding = read_value(sysfs, ifname, "vnicc/flooding", flags);
    qeth->learning = read_value(sysfs, ifname, "vnicc/learning", flags);
    qeth->rx_bcast = read_value(sysfs, ifname, "vnicc/rx_bcast", flags);
    qeth->bridge_invisible = read_value(sysfs, ifname, "vnicc/bridge_invisible", flags);
}

void
kvmr_qeth_add_paths(const char *sysfs, const char *ifname, const KvmrQeth *qeth, GPtrArray *paths)
{
    const char *const *names = qeth->layer2 == 0 ? attributes3 : attributes2;

    if (qeth->layer2 == KVMR_VALUE_NONE)
        return;
    for (guint i = 0; names[i]; i++)
        g_ptr_array_add(paths, path_of(sysfs, ifname, names[i]));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/kvmr-ranges.h"

GArray *
kvmr_ranges_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(KvmrRange));
}

/* Index of the first range that ends at or after @addr. */
static guint
lower_bound(const GArray *ranges, guint32 addr)
{
    guint low = 0, high = ranges->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(ranges, KvmrRange, middle).last < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void
kvmr_ranges_add(GArray *ranges, KvmrRange range)
{
    guint begin = lower_bound(ranges, range.first > 0 ? range.first - 1 : 0);
    guint end = begin;

    for (; end < ranges->len; end++) {
        const KvmrRange *met = &g_array_index(ranges, KvmrRange, end);

        /* Neighbours melt together; the last address of all has none after it. */
        if (range.last != G_MAXUINT32 && met->first > range.last + 1)
            break;
        range.first = MIN(range.first, met->first);
        range.last = MAX(range.last, met->last);
    }
    g_array_remove_range(ranges, begin, end - begin);
    g_array_insert_val(ranges, begin, range);
}

void
kvmr_ranges_remove(GArray *ranges, KvmrRange range)
{
    guint i = lower_bound(ranges, range.first);

    while (i < ranges->len) {
        KvmrRange met = g_array_index(ranges, KvmrRange, i);

        if (met.first > range.last)
            return;
        g_array_remove_index(ranges, i);
        if (met.first < range.first) {
            KvmrRange left = {met.first, range.first - 1};

            g_array_insert_val(ranges, i, left);
            i++;
        }
        if (met.last > range.last) {
            KvmrRange right = {range.last + 1, met.last};

            g_array_insert_val(ranges, i, right);
            return;
        }
    }
}

static KvmrRange
range_of(KvmrPrefix4 prefix)
{
    return (KvmrRange){prefix.addr, kvmr_prefix4_last(prefix)};
}

void
kvmr_ranges_add_prefix(GArray *ranges, KvmrPrefix4 prefix)
{
    kvmr_ranges_add(ranges, range_of(prefix));
}

void
kvmr_ranges_remove_prefix(GArray *ranges, KvmrPrefix4 prefix)
{
    kvmr_ranges_remove(ranges, range_of(prefix));
}

gboolean
kvmr_ranges_contain(const GArray *ranges, guint32 addr)
{
    guint i = lower_bound(ranges, addr);

    return i < ranges->len && g_array_index(ranges, KvmrRange, i).first <= addr;
}

char *
kvmr_range_to_string(KvmrRange range)
{
    char    first[KVMR_ADDR4_TEXT], last[KVMR_ADDR4_TEXT], text[KVMR_PREFIX4_TEXT];
    guint32 hosts = range.last - range.first;

    if (hosts == 0)
        return kvmr_addr4_to_string(range.first);

    /* A prefix: the bits of the host are all 0 in the first address and all 1 in the last. */
    if ((hosts & (hosts + 1)) == 0 && (range.first & hosts) == 0) {
        KvmrPrefix4 prefix = {range.first, (guint8) (32 - g_bit_storage(hosts))};

        return g_strdup(kvmr_prefix4_print(prefix, text));
    }
    return g_strdup_printf(
        "%s-%s", kvmr_addr4_print(range.first, first), kvmr_addr4_print(range.last, last));
}

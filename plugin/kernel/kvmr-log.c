/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-log.h"

#include <syslog.h>

#include "setting/kvmr-text.h"

#define N_FIELDS_MAX 11

/* Of a text that has to be escaped; a peer's list of thousands helps nobody. */
#define SHOWN_MAX_CHARS 2000

/* Never to be changed; see #KvmrMessage. */
static const struct {
    const char *id;
    int         priority; /* as in syslog(3) */
} messages[KVMR_N_MESSAGES] = {
    [KVMR_MESSAGE_ACTIVE] = {"9474c1b92de74836a51ce6d4d24f2922", LOG_NOTICE},
    [KVMR_MESSAGE_ACTIVATING] = {"7e3946647f2b4a4da0680790c7caca36", LOG_NOTICE},
    [KVMR_MESSAGE_DEGRADED] = {"9ed26341f09941bcbe19341c0e9051d9", LOG_WARNING},
    [KVMR_MESSAGE_FAILED] = {"b5b94ec282e04905962bc031f6ad2ff6", LOG_ERR},
    [KVMR_MESSAGE_INACTIVE] = {"09bf120e01534848bd8f1cf3e1d41238", LOG_NOTICE},
    [KVMR_MESSAGE_FINDING] = {"69074cd42a8a496eb1dae71e6db60f45", LOG_WARNING},
    [KVMR_MESSAGE_FINDING_OVER] = {"c5d892375b9a42049f993ab1f7504768", LOG_NOTICE},
    [KVMR_MESSAGE_PUT_BACK] = {"de4e6178039d43e2ac7f66384e68305d", LOG_NOTICE},
    [KVMR_MESSAGE_NOT_APPLIED] = {"85d3abf3ac10421cb9bf7542f174c9db", LOG_ERR},
    [KVMR_MESSAGE_APPLIED] = {"4295f8726004413da73e179359157bd8", LOG_NOTICE},
    [KVMR_MESSAGE_NOT_READ] = {"7f2134de63a54f7c9c4925286f2d0ed6", LOG_ERR},
    [KVMR_MESSAGE_NOT_UNDONE] = {"aa5091b075f4479ba76bd5ce9c76063a", LOG_ERR},
    [KVMR_MESSAGE_STATE_FILE] = {"cd9535c7289e4b5ba19fc4eb729bf3fb", LOG_WARNING},
    [KVMR_MESSAGE_NOT_FOLLOWED] = {"7afdfb11c7d64569a6408ed3f2a58d1d", LOG_WARNING},
    [KVMR_MESSAGE_NOT_ANNOUNCED] = {"74a59c85c09c47ab8938639277fab772", LOG_WARNING},
    [KVMR_MESSAGE_FIREWALLD] = {"9faf059d0bc940eb8a60a52754868d93", LOG_WARNING},
    [KVMR_MESSAGE_REFUSED] = {"cad2160936904077a6825b80774106e7", LOG_NOTICE},
    [KVMR_MESSAGE_CANNOT_RUN] = {"e06930898459443f99079eb003577943", LOG_ERR},
    [KVMR_MESSAGE_TRY_BEGUN] = {"79940af08cac46ff86dae6aaab85f590", LOG_NOTICE},
    [KVMR_MESSAGE_TRY_KEPT] = {"a9d2c26c7dfc4322aef46bac7a7fe260", LOG_NOTICE},
    [KVMR_MESSAGE_TRY_NOT_KEPT] = {"13784375fde5425fb73ac94e685de863", LOG_ERR},
    [KVMR_MESSAGE_TRY_ENDING] = {"03927cfe5c994ceea67581a83833dd58", LOG_NOTICE},
    [KVMR_MESSAGE_TRY_BACK] = {"01543088aa3e497b85cd85a269c238da", LOG_NOTICE},
    [KVMR_MESSAGE_GUEST_LINK] = {"4522a11915124c078e0faba9c1696ef2", LOG_WARNING},
    [KVMR_MESSAGE_TRY_NOT_BACK] = {"2946064f152045ff835234f495a565d4", LOG_ERR},
};

typedef struct {
    GLogField fields[N_FIELDS_MAX];
    gsize     n;
    char     *owned[N_FIELDS_MAX];
} Entry;

/* Backslashes of text that is fit for a line already stay single. */
static char *
make_line(const char *text)
{
    return kvmr_text_has_control(text) ? kvmr_text_escape(text, SHOWN_MAX_CHARS) : g_strdup(text);
}

static void
add(Entry *entry, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    entry->owned[entry->n] = make_line(value);
    entry->fields[entry->n] = (GLogField){key, entry->owned[entry->n], -1};
    entry->n++;
}

void
kvmr_log(KvmrMessage message, const KvmrLogFields *fields, const char *format, ...)
{
    static const KvmrLogFields none;
    const KvmrLogFields       *about = fields ? fields : &none;
    int                        priority = messages[message].priority;
    Entry                      entry = {.n = 0};
    g_autofree char           *text = NULL;
    g_autofree char           *number = g_strdup_printf("%d", priority);
    va_list                    arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);

    add(&entry, "MESSAGE", text);
    add(&entry, "MESSAGE_ID", messages[message].id);
    add(&entry, "PRIORITY", number);
    add(&entry, "SYSLOG_IDENTIFIER", g_get_prgname());
    add(&entry, "KVM_ROUTED_NETWORK", about->network);
    add(&entry, "KVM_ROUTED_UUID", about->uuid);
    add(&entry, "KVM_ROUTED_INTERFACE", about->interface);
    add(&entry, "KVM_ROUTED_STATE", about->state);
    add(&entry, "KVM_ROUTED_FINDING", about->finding);
    add(&entry, "KVM_ROUTED_SEVERITY", about->severity);
    add(&entry, "KVM_ROUTED_HINT", about->hint);
    g_log_structured_array(
        priority <= LOG_WARNING ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_MESSAGE, entry.fields, entry.n);
    for (gsize i = 0; i < entry.n; i++)
        g_free(entry.owned[i]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

/**
 * KvmrNlSocket: requests to the kernel over one netlink protocol, and their answers. libnl builds
 * and takes apart the messages; what is received is handled here, since libnl translates error
 * numbers into fewer of its own and drops the kernel's explanations.
 */
typedef struct _KvmrNlSocket KvmrNlSocket;

typedef struct nl_msg KvmrNlMessage;

/**
 * KvmrNlReceiver: takes one message of an answer
 * @hdr: NULL when the answer starts, and starts again because what is dumped changed meanwhile:
 *   what was collected so far is to be forgotten
 */
typedef void (*KvmrNlReceiver)(const struct nlmsghdr *hdr, gpointer user_data);

/**
 * kvmr_nl_socket_new:
 * @protocol: NETLINK_ROUTE or NETLINK_NETFILTER
 * @error: %KVMR_ERROR_KERNEL
 */
KvmrNlSocket *kvmr_nl_socket_new(int protocol, GError **error);
void          kvmr_nl_socket_free(KvmrNlSocket *self);

/** The port that the kernel's notifications give as the cause of what this socket changed. */
guint32 kvmr_nl_socket_get_port(const KvmrNlSocket *self);

/**
 * kvmr_nl_socket_request: sends @message and takes its whole answer, however often the kernel has
 * to be asked
 * @receive: (nullable): for the answer's messages
 * Returns: 0, or an errno value; then kvmr_nl_socket_get_reason() tells more
 */
int kvmr_nl_socket_request(KvmrNlSocket  *self,
                           KvmrNlMessage *message,
                           KvmrNlReceiver receive,
                           gpointer       user_data);

/** Why the last request failed, in the kernel's words where it has any, else in those of errno. */
const char *kvmr_nl_socket_get_reason(const KvmrNlSocket *self);

/** A message with the family's header of @size bytes. Out of memory ends the process, as in GLib.
 */
KvmrNlMessage *kvmr_nl_message_new(int type, int flags, const void *header, gsize size);
void           kvmr_nl_message_put(KvmrNlMessage *message, int type, const void *data, gsize size);

static inline void
kvmr_nl_message_put_u32(KvmrNlMessage *message, int type, guint32 value)
{
    kvmr_nl_message_put(message, type, &value, sizeof(value));
}

/** Attributes that may be absent; the policy has checked their length. */
static inline guint32
kvmr_nl_get_u32(struct nlattr **attributes, int type)
{
    return attributes[type] ? nla_get_u32(attributes[type]) : 0;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNlSocket, kvmr_nl_socket_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvmrNlMessage, nlmsg_free)

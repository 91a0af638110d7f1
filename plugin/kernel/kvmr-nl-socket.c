/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/kvmr-nl-socket.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "kernel/kvmr-fault.h"
#include "setting/kvmr-error.h"

/* The kernel fills an answer's datagrams up to this size, if the reader has room for it. */
#define RECEIVE_SIZE ((gsize) 32 * 1024)

/* How often a dump is started again because the kernel's tables changed while it ran. */
#define DUMP_TRIES 20

struct _KvmrNlSocket {
    struct nl_sock *sock;
    int             protocol;
    char           *reason;
    guint64         buffer[RECEIVE_SIZE / sizeof(guint64)];
};

/* One answer on its way. */
typedef struct {
    guint32        sequence;
    KvmrNlReceiver receive;
    gpointer       user_data;
    gboolean       interrupted;
    gboolean       finished;
    int            result; /* errno */
} Answer;

static void
set_option(KvmrNlSocket *self, int option)
{
    const int on = 1;

    /* Older kernels lack some: then errors are explained less, and dumps filtered by the reader. */
    (void) setsockopt(nl_socket_get_fd(self->sock), SOL_NETLINK, option, &on, sizeof(on));
}

static int
connect_socket(KvmrNlSocket *self)
{
    int result = nl_connect(self->sock, self->protocol);

    if (result < 0)
        return result;
    set_option(self, NETLINK_EXT_ACK);
    set_option(self, NETLINK_CAP_ACK);
    set_option(self, NETLINK_GET_STRICT_CHK);
    return 0;
}

KvmrNlSocket *
kvmr_nl_socket_new(int protocol, GError **error)
{
    KvmrNlSocket *self = g_new0(KvmrNlSocket, 1);
    int           result;

    self->protocol = protocol;
    self->sock = nl_socket_alloc();
    if (!self->sock)
        g_error("out of memory for a netlink socket");
    result = connect_socket(self);
    if (result < 0) {
        g_set_error(error,
                    KVMR_ERROR,
                    KVMR_ERROR_KERNEL,
                    _("cannot open a netlink socket to %s: %s; is it part of this kernel, and may "
                      "the service use AF_NETLINK?"),
                    protocol == NETLINK_NETFILTER ? "netfilter" : "rtnetlink",
                    nl_geterror(result));
        kvmr_nl_socket_free(self);
        return NULL;
    }
    return self;
}

void
kvmr_nl_socket_free(KvmrNlSocket *self)
{
    nl_socket_free(self->sock);
    g_free(self->reason);
    g_free(self);
}

guint32
kvmr_nl_socket_get_port(const KvmrNlSocket *self)
{
    return nl_socket_get_local_port(self->sock);
}

const char *
kvmr_nl_socket_get_reason(const KvmrNlSocket *self)
{
    return self->reason ? self->reason : "";
}

static int
fail_with(KvmrNlSocket *self, int errsv, const char *reason)
{
    g_free(self->reason);
    self->reason = g_utf8_make_valid(reason, -1);
    return errsv;
}

static int
fail(KvmrNlSocket *self, int errsv)
{
    return fail_with(self, errsv, g_strerror(errsv));
}

/* The attributes behind an error carry the kernel's own words, if it has any. */
static void
explain(KvmrNlSocket *self, const struct nlmsghdr *hdr, int offset, const Answer *answer)
{
    struct nlattr   *attributes[NLMSGERR_ATTR_MAX + 1];
    struct nlattr   *text;
    g_autofree char *words = NULL;

    if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (nlmsg_parse((struct nlmsghdr *) hdr, offset, attributes, NLMSGERR_ATTR_MAX, NULL) < 0)
        return;
    text = attributes[NLMSGERR_ATTR_MSG];
    if (!text || nla_len(text) <= 1)
        return;
    words = g_strndup(nla_data(text), nla_len(text));
    (void) fail_with(self, answer->result, words);
}

static void
take_error(KvmrNlSocket *self, const struct nlmsghdr *hdr, Answer *answer)
{
    const struct nlmsgerr *ack = nlmsg_data(hdr);
    int                    offset = sizeof(*ack);

    answer->finished = TRUE;
    if (nlmsg_datalen(hdr) < (int) sizeof(*ack)) {
        answer->result = fail(self, EBADMSG);
        return;
    }
    if (ack->error == 0)
        return;

    answer->result = fail(self, ack->error < 0 && ack->error > -4096 ? -ack->error : EBADMSG);
    if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
        offset += NLMSG_ALIGN(ack->msg.nlmsg_len) - NLMSG_HDRLEN;
    if (offset >= (int) sizeof(*ack) && offset <= nlmsg_datalen(hdr))
        explain(self, hdr, offset, answer);
}

/* A dump that fails says so in its end. */
static void
take_done(KvmrNlSocket *self, const struct nlmsghdr *hdr, Answer *answer)
{
    int code = 0;

    answer->finished = TRUE;
    if (nlmsg_datalen(hdr) < (int) sizeof(code))
        return;
    code = *(const int *) nlmsg_data(hdr);
    if (code >= 0)
        return;
    answer->result = fail(self, code > -4096 ? -code : EBADMSG);
    explain(self, hdr, sizeof(code), answer);
}

static void
take_message(KvmrNlSocket *self, const struct nlmsghdr *hdr, Answer *answer)
{
    if (hdr->nlmsg_seq != answer->sequence || hdr->nlmsg_pid != kvmr_nl_socket_get_port(self))
        return;
    if (hdr->nlmsg_flags & NLM_F_DUMP_INTR)
        answer->interrupted = TRUE;

    switch (hdr->nlmsg_type) {
    case NLMSG_NOOP:
        return;
    case NLMSG_ERROR:
        take_error(self, hdr, answer);
        return;
    case NLMSG_DONE:
        take_done(self, hdr, answer);
        return;
    case NLMSG_OVERRUN:
        answer->interrupted = TRUE;
        return;
    default:
        if (answer->receive)
            answer->receive(hdr, answer->user_data);
    }
}

static int
receive_some(KvmrNlSocket *self, Answer *answer)
{
    struct sockaddr_nl sender = {0};
    struct iovec       iov = {self->buffer, sizeof(self->buffer)};
    struct msghdr      received = {
             .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &iov, .msg_iovlen = 1};
    const struct nlmsghdr *hdr = (const struct nlmsghdr *) self->buffer;
    ssize_t                length;
    int                    left;

    do {
        length = kvmr_fault_fails("netlink.receive")
                     ? -1
                     : recvmsg(nl_socket_get_fd(self->sock), &received, 0);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return fail(self, errno);
    /* Any process may send to our port: only the kernel has port 0. */
    if (received.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
        return 0;
    if (received.msg_flags & MSG_TRUNC)
        return fail(self, EMSGSIZE);

    for (left = (int) length; nlmsg_ok(hdr, left) && !answer->finished;
         hdr = nlmsg_next((struct nlmsghdr *) hdr, &left))
        take_message(self, hdr, answer);
    return 0;
}

static int
ask(KvmrNlSocket *self, KvmrNlMessage *message, Answer *answer)
{
    struct nlmsghdr *hdr = nlmsg_hdr(message);
    int              result;

    if (nl_socket_get_fd(self->sock) < 0 && connect_socket(self) < 0)
        return fail(self, ENOTCONN);

    /* As if the kernel refused it. */
    if (kvmr_fault_fails("netlink.request"))
        return fail(self, errno);

    hdr->nlmsg_seq = NL_AUTO_SEQ;
    nl_complete_msg(self->sock, message);
    answer->sequence = hdr->nlmsg_seq;
    if (answer->receive)
        answer->receive(NULL, answer->user_data);
    do {
        result = kvmr_fault_fails("netlink.send") ? -nl_syserr2nlerr(errno)
                                                  : nl_send(self->sock, message);
    } while (result == -NLE_INTR);
    /* So libnl calls ENOBUFS. */
    if (result == -NLE_NOMEM)
        return fail(self, ENOBUFS);
    if (result < 0)
        return fail_with(self, EIO, nl_geterror(result));

    while (!answer->finished) {
        result = receive_some(self, answer);
        if (result == 0)
            continue;
        /* What is left of the answer must not be taken for a part of the next one. */
        nl_close(self->sock);
        return result;
    }
    return answer->result;
}

int
kvmr_nl_socket_request(KvmrNlSocket  *self,
                       KvmrNlMessage *message,
                       KvmrNlReceiver receive,
                       gpointer       user_data)
{
    int result = EBUSY;

    for (guint try = 0; try < DUMP_TRIES; try++) {
        Answer answer = {.receive = receive, .user_data = user_data};

        result = ask(self, message, &answer);
        if (result == 0 && !answer.interrupted)
            return 0;
        /* ENOBUFS, EINTR: the answer is incomplete; the same request again may have more luck. */
        if (result != 0 && result != ENOBUFS && result != EINTR)
            return result;
    }
    return result ? result : fail(self, EBUSY);
}

KvmrNlMessage *
kvmr_nl_message_new(int type, int flags, const void *header, gsize size)
{
    KvmrNlMessage *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

    if (!message || nlmsg_append(message, (void *) header, size, NLMSG_ALIGNTO) < 0)
        g_error("out of memory for a netlink message");
    return message;
}

void
kvmr_nl_message_put(KvmrNlMessage *message, int type, const void *data, gsize size)
{
    if (nla_put(message, type, (int) size, data) < 0)
        g_error("out of memory for a netlink message");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/nmcli/kvmr-nmcli-stored.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a kvm-routed profile has in it, whether expanded or not. */
#define MARK "kvm-routed"

/* The same in a file of the ifcfg-rh plugin, which has user data under names of its own. */
#define MARK_IFCFG "NM_USER_"

/* More than a profile can have: 256 values of 8 KiB, each byte perhaps escaped. */
#define FILE_MAX 8388608

#define CHUNK 65536

typedef struct {
    const char *path;
    const char *mark;
} Directory;

static const Directory directories[] = {
    {"/etc/NetworkManager/system-connections", MARK},
    {"/run/NetworkManager/system-connections", MARK},
    {"/usr/lib/NetworkManager/system-connections", MARK},
    {"/etc/sysconfig/network-scripts", MARK_IFCFG},
};

/* Returns: the text of what is left in @fd, to be freed; NULL: it cannot be read, or is too much */
static char *
read_all(int fd)
{
    char  *text = NULL, *more;
    size_t length = 0;

    for (;;) {
        ssize_t n;

        more = realloc(text, length + CHUNK + 1);
        if (!more)
            break;
        text = more;
        n = read(fd, text + length, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || length + (size_t) n > FILE_MAX)
            break;
        length += (size_t) n;
        text[length] = '\0';
        if (n == 0)
            return text;
    }
    free(text);
    return NULL;
}

/* The value of @key where a line begins with it. Returns: NULL if there is none */
static const char *
find_value(const char *text, const char *key, size_t *length)
{
    size_t key_length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_length) != 0)
            continue;
        line += key_length;
        line += strspn(line, " \t");
        *length = strcspn(line, "\r\n");
        return line;
    }
    return NULL;
}

/* Not understood, as a blank before "=" is not, or escaped: then it may be. */
static bool
may_be_named(const char *text, const char *selector, const char *name)
{
    size_t      length, uuid_length;
    const char *id = find_value(text, "id=", &length);
    const char *uuid = find_value(text, "uuid=", &uuid_length);

    if (!id || !uuid || memchr(id, '\\', length))
        return true;
    if (selector && strcmp(selector, "id") != 0 && strcmp(selector, "uuid") != 0)
        return true;
    if (strlen(name) == length && memcmp(id, name, length) == 0)
        return true;
    return strlen(name) <= uuid_length && strncasecmp(uuid, name, strlen(name)) == 0;
}

static bool
file_may_be_ours(
    int directory, const char *file, const char *mark, const char *selector, const char *name)
{
    int   fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text;
    bool  may_be;

    if (fd < 0)
        return errno != ENOENT;
    text = read_all(fd);
    (void) close(fd);
    may_be = !text || (strstr(text, mark) && may_be_named(text, selector, name));
    free(text);
    return may_be;
}

static bool
directory_may_have_ours(const char *path, const char *mark, const char *selector, const char *name)
{
    DIR           *directory = opendir(path);
    struct dirent *entry;
    bool           may_have = false;

    if (!directory)
        return errno != ENOENT;
    /* There is one thread. */
    // cppcheck-suppress readdirCalled
    while (!may_have && (entry = readdir(directory))) {
        if (entry->d_name[0] != '.')
            may_have = file_may_be_ours(dirfd(directory), entry->d_name, mark, selector, name);
    }
    (void) closedir(directory);
    return may_have;
}

bool
kvmr_nmcli_may_be_ours(const char *root, const char *selector, const char *name)
{
    /* A number or a D-Bus path says nothing about files. */
    if (name[0] == '/' || (selector && strcmp(selector, "path") == 0))
        return true;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        char path[4096];
        int  length = snprintf(path, sizeof path, "%s%s", root, directories[i].path);

        if (length < 0 || (size_t) length >= sizeof path ||
            directory_may_have_ours(path, directories[i].mark, selector, name))
            return true;
    }
    return false;
}

static bool
write_all(int fd, const char *text)
{
    while (*text) {
        ssize_t n = write(fd, text, strlen(text));

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text += n;
    }
    return true;
}

/* What came through a pipe is gone once it is read: it goes into a file in memory. */
static bool
put_back(const char *text)
{
    int  fd = memfd_create("profile", MFD_CLOEXEC);
    bool done = fd >= 0 && write_all(fd, text) && lseek(fd, 0, SEEK_SET) == 0 &&
                dup2(fd, STDIN_FILENO) == STDIN_FILENO;

    if (fd >= 0)
        (void) close(fd);
    return done;
}

bool
kvmr_nmcli_input_is_ours(void)
{
    off_t begin = lseek(STDIN_FILENO, 0, SEEK_CUR);
    char *text = read_all(STDIN_FILENO);
    bool  is_ours = text && strstr(text, MARK);

    if (begin >= 0)
        (void) lseek(STDIN_FILENO, begin, SEEK_SET);
    else if (text && !put_back(text))
        is_ours = false;
    free(text);
    return is_ours;
}

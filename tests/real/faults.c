/* Fails the n-th file-system operation of a process, for tests/real/faults.py.
 *
 *   gcc -shared -fPIC -O2 -o faults.so faults.c -ldl
 *   FAULT_DIRS=/a:/b FAULT_AT=7 FAULT_WAY=after LD_PRELOAD=./faults.so program
 *
 * Counted are operations that change something below the directories of FAULT_DIRS (absolute, without links):
 * opening for writing, write, fsync, truncate, rename, link, unlink, mkdir, rmdir. The one with the number FAULT_AT
 * (from 1; 0 or unset: none) meets FAULT_WAY:
 *
 *   before   it is not done and fails with EIO
 *   after    it is done and fails with EIO all the same
 *   full     it and all later ones that need room fail with ENOSPC; deleting works
 *   abort    the process is killed (SIGKILL) before it
 *   short    a write writes half of what it was given and says so; other operations are done
 *
 * FAULT_TRACE=<file> is appended one line an operation: its number, its name, its path.
 *
 * FAULT_GATE=<directory>:<n> holds every link to a commit ("<dataset>/_commits/<date>/<sequence>.json") until n
 * processes have come that far with the dataset, or ten seconds have passed, so that they compete for one sequence. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum action { DO, FAIL, DO_AND_FAIL, HALVE };
enum need { ROOM, NO_ROOM };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *directories[16];
static size_t directory_count;
static long at, seen;
static char way[16];
static int trace = -1;
static char gate[PATH_MAX];
static long gate_count;

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("FAULT_DIRS");
    char *copy = strdup(text ? text : ""), *rest = copy, *part;
    while ((part = strsep(&rest, ":")) && directory_count < 16)
        if (*part) directories[directory_count++] = part;
    at = (text = getenv("FAULT_AT")) ? atol(text) : 0;
    snprintf(way, sizeof way, "%s", (text = getenv("FAULT_WAY")) ? text : "before");
    if ((text = getenv("FAULT_TRACE"))) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        trace = fcntl(fd, F_DUPFD_CLOEXEC, 900);
        syscall(SYS_close, fd);
    }
    if ((text = getenv("FAULT_GATE"))) {
        snprintf(gate, sizeof gate, "%s", text);
        char *colon = strrchr(gate, ':');
        if (colon) *colon = 0, gate_count = atol(colon + 1);
    }
}

static int is_below(const char *path) {
    for (size_t i = 0; i < directory_count; i++) {
        size_t length = strlen(directories[i]);
        if (!strncmp(path, directories[i], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

/* What a descriptor is open on; empty if that is no file. */
static void path_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length > 0 ? length : 0] = 0;
}

static void absolute(int fd, const char *path, char *out) {
    char base[PATH_MAX] = "";
    if (*path != '/') {
        if (fd == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) *base = 0;
        } else {
            path_of(fd, base);
        }
    }
    snprintf(out, PATH_MAX, "%s%s%s", base, *path == '/' ? "" : "/", path);
}

/* Counts an operation on a path and says what is to be done about it; sets errno for what is to fail. */
static enum action step(const char *name, const char *path, enum need need) {
    if (!is_below(path)) return DO;
    pthread_mutex_lock(&lock);
    long number = ++seen;
    if (trace >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
        syscall(SYS_write, trace, line, (size_t)length);
    }
    pthread_mutex_unlock(&lock);
    if (at <= 0 || number < at) return DO;
    if (!strcmp(way, "full")) {
        errno = ENOSPC;
        return need == ROOM ? FAIL : DO;
    }
    if (number > at) return DO;
    errno = EIO;
    if (!strcmp(way, "before")) return FAIL;
    if (!strcmp(way, "after")) return DO_AND_FAIL;
    if (!strcmp(way, "short")) return HALVE;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static enum action step_at(const char *name, int fd, const char *path, enum need need) {
    char full[PATH_MAX];
    absolute(fd, path, full);
    return step(name, full, need);
}

static enum action step_fd(const char *name, int fd, enum need need) {
    char full[PATH_MAX];
    path_of(fd, full);
    return step(name, full, need);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Does what was decided with an expression that gives -1 for a failure. */
#define GUARDED(decided, expression)                            \
    do {                                                        \
        enum action what = (decided);                           \
        if (what == FAIL) return -1;                            \
        __typeof__(expression) result = (expression);           \
        if (what != DO_AND_FAIL || result == -1) return result; \
        errno = EIO;                                            \
        return -1;                                              \
    } while (0)

static int opened(enum action todo, int fd) {
    if (todo != DO_AND_FAIL || fd == -1) return fd;
    syscall(SYS_close, fd);
    errno = EIO;
    return -1;
}

static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)); }

#define MODE(flags)                            \
    mode_t mode = 0;                           \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {   \
        va_list arguments;                     \
        va_start(arguments, flags);            \
        mode = va_arg(arguments, mode_t);      \
        va_end(arguments);                     \
    }

#define OPEN(name)                                                                        \
    int name(const char *path, int flags, ...) {                                          \
        MODE(flags)                                                                       \
        enum action todo = writes(flags) ? step_at("open", AT_FDCWD, path, ROOM) : DO;    \
        return todo == FAIL ? -1 : opened(todo, REAL(name)(path, flags, mode));           \
    }
#define OPENAT(name)                                                                      \
    int name(int fd, const char *path, int flags, ...) {                                  \
        MODE(flags)                                                                       \
        enum action todo = writes(flags) ? step_at("open", fd, path, ROOM) : DO;          \
        return todo == FAIL ? -1 : opened(todo, REAL(name)(fd, path, flags, mode));       \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

static size_t half(enum action todo, size_t count) { return todo == HALVE && count > 1 ? count / 2 : count; }

ssize_t write(int fd, const void *bytes, size_t count) {
    enum action todo = step_fd("write", fd, ROOM);
    GUARDED(todo, REAL(write)(fd, bytes, half(todo, count)));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    enum action todo = step_fd("write", fd, ROOM);
    GUARDED(todo, REAL(pwrite)(fd, bytes, half(todo, count), offset));
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    enum action todo = step_fd("write", fd, ROOM);
    GUARDED(todo, REAL(pwrite64)(fd, bytes, half(todo, count), offset));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    enum action todo = step_fd("write", fd, ROOM);
    if (todo == HALVE && count > 0) return REAL(write)(fd, parts[0].iov_base, half(todo, parts[0].iov_len));
    GUARDED(todo, REAL(writev)(fd, parts, count));
}
ssize_t copy_file_range(int from, off64_t *read, int to, off64_t *written, size_t count, unsigned flags) {
    GUARDED(step_fd("write", to, ROOM), REAL(copy_file_range)(from, read, to, written, count, flags));
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
    GUARDED(step_fd("write", to, ROOM), (ssize_t)syscall(SYS_sendfile, to, from, offset, count));
}

int fsync(int fd) { GUARDED(step_fd("fsync", fd, ROOM), REAL(fsync)(fd)); }
int fdatasync(int fd) { GUARDED(step_fd("fsync", fd, ROOM), REAL(fdatasync)(fd)); }
int ftruncate(int fd, off_t size) { GUARDED(step_fd("truncate", fd, ROOM), REAL(ftruncate)(fd, size)); }
int ftruncate64(int fd, off64_t size) { GUARDED(step_fd("truncate", fd, ROOM), REAL(ftruncate64)(fd, size)); }

int rename(const char *from, const char *to) {
    GUARDED(step_at("rename", AT_FDCWD, to, ROOM), REAL(rename)(from, to));
}
int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    GUARDED(step_at("rename", to_fd, to, ROOM), REAL(renameat)(from_fd, from, to_fd, to));
}

/* The files of the gate are called "<dataset> <process>". */
static long arrived(const char *dataset, size_t length) {
    DIR *directory = opendir(gate);
    long count = 0;
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        count += !strncmp(entry->d_name, dataset, length) && entry->d_name[length] == ' ';
    if (directory) closedir(directory);
    return count;
}

static void wait_at_gate(const char *path) {
    const char *commits = strstr(path, "/_commits/");
    if (gate_count == 0 || !commits || strlen(commits) != strlen("/_commits/2024-06-01/000001.json")) return;
    const char *dataset = commits;
    while (dataset > path && dataset[-1] != '/') dataset--;
    size_t length = (size_t)(commits - dataset);
    char mine[PATH_MAX + 300];
    snprintf(mine, sizeof mine, "%s/%.*s %d", gate, (int)length, dataset, (int)getpid());
    int fd = (int)syscall(SYS_openat, AT_FDCWD, mine, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) syscall(SYS_close, fd);
    struct timespec millisecond = {0, 1000000};
    for (int waited = 0; waited < 10000 && arrived(dataset, length) < gate_count; waited++)
        nanosleep(&millisecond, NULL);
}

int link(const char *from, const char *to) {
    wait_at_gate(to);
    GUARDED(step_at("link", AT_FDCWD, to, ROOM), REAL(link)(from, to));
}
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    wait_at_gate(to);
    GUARDED(step_at("link", to_fd, to, ROOM), REAL(linkat)(from_fd, from, to_fd, to, flags));
}

int unlink(const char *path) { GUARDED(step_at("unlink", AT_FDCWD, path, NO_ROOM), REAL(unlink)(path)); }
int unlinkat(int fd, const char *path, int flags) {
    const char *name = flags & AT_REMOVEDIR ? "rmdir" : "unlink";
    GUARDED(step_at(name, fd, path, NO_ROOM), REAL(unlinkat)(fd, path, flags));
}
int rmdir(const char *path) { GUARDED(step_at("rmdir", AT_FDCWD, path, NO_ROOM), REAL(rmdir)(path)); }
int mkdir(const char *path, mode_t mode) { GUARDED(step_at("mkdir", AT_FDCWD, path, ROOM), REAL(mkdir)(path, mode)); }
int mkdirat(int fd, const char *path, mode_t mode) {
    GUARDED(step_at("mkdir", fd, path, ROOM), REAL(mkdirat)(fd, path, mode));
}

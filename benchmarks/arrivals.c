/* An open-loop load generator: calls come when they come, whether or not those before them were answered.
 *
 *   arrivals PORT CALLS_A_SECOND WARM_SECONDS SECONDS CONNECTIONS_MOST SEED < REQUEST
 *
 * Gaps between calls are exponential (a Poisson process). Each call takes an idle connection, or a new one. A time is
 * counted from the moment that the call was due, so that a generator that lags makes figures worse, never better. Only
 * calls that were due after the warm-up count. Prints one line of JSON; exits 2 for what it cannot do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES_MOST = 1 << 20, HEAD_BYTES_MOST = 16 << 10, EVENTS_MOST = 1024 };
enum { IDLE, CONNECTING, WAITING, READING, CLOSED };
static const double GRACE_SECONDS = 10.0;

typedef struct {
    int fd, state, status, closes;
    double due_seconds;       /* when its call was to be sent */
    size_t sent_bytes;        /* of the request */
    long body_bytes;          /* of the answer, still to come */
    double retry_seconds;     /* what the answer tells, -1 for nothing */
    size_t head_bytes;
    char head[HEAD_BYTES_MOST];
} Connection;

typedef struct { float *values; size_t count, room; } Times;

static char request[REQUEST_BYTES_MOST];
static size_t request_bytes;
static int port, epoll_fd, connections_most;
static Connection **connections, **idle;
static int connections_made, connections_open, idle_count;
static double began_seconds, counted_from_seconds, ends_seconds;
static long sent, missed, broken, other, busy;
static double retry_least_seconds = 1e9, retry_most_seconds = -1, last_refusal_seconds = -1;
static Times good, refused, late;
static uint64_t random_state;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    fprintf(stderr, "arrivals: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void keep(Times *times, double seconds) {
    if (times->count == times->room) {
        times->room = times->room ? times->room * 2 : 1 << 16;
        times->values = realloc(times->values, times->room * sizeof(float));
        if (!times->values) fail("memory");
    }
    times->values[times->count++] = (float)seconds;
}

static int by_size(const void *one, const void *other_one) {
    float a = *(const float *)one, b = *(const float *)other_one;
    return (a > b) - (a < b);
}

static double percentile(Times *times, double percent) {
    if (!times->count) return 0;
    size_t at = (size_t)ceil(times->count * percent / 100.0);
    return times->values[at ? at - 1 : 0] * 1000.0;
}

static double gap_seconds(double calls_a_second) {
    /* splitmix64 (public domain, Steele, Lea and Flood 2014). */
    uint64_t mixed = random_state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    double share = ((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
    return -log1p(-share) / calls_a_second;
}

static int counts(double due_seconds) { return due_seconds >= counted_from_seconds; }

static void drop(Connection *connection) {
    close(connection->fd);
    connection->state = CLOSED;
    connections_open--;
}

static void lose(Connection *connection) {
    if (connection->state == IDLE) {
        int at = 0;
        while (idle[at] != connection) at++;
        idle[at] = idle[--idle_count];
    } else {
        busy--;
        if (counts(connection->due_seconds)) broken++;
    }
    drop(connection);
}

static void push(Connection *connection) {
    while (connection->sent_bytes < request_bytes) {
        ssize_t written =
            send(connection->fd, request + connection->sent_bytes, request_bytes - connection->sent_bytes, MSG_NOSIGNAL);
        if (written < 0) {
            if (errno != EAGAIN) lose(connection);
            return;
        }
        connection->sent_bytes += (size_t)written;
    }
    connection->state = WAITING;
}

static Connection *opened(void) {
    if (connections_open >= connections_most) return NULL;
    Connection *connection = NULL;
    for (int at = connections_made - 1; at >= 0 && connections_made >= connections_most; at--)
        if (connections[at]->state == CLOSED) { connection = connections[at]; break; }
    if (!connection) {
        connection = malloc(sizeof(Connection));
        if (!connection) fail("memory");
        connections[connections_made++] = connection;
    }
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) { close(fd); return NULL; }
    connection->fd = fd;
    connection->state = CONNECTING;
    connections_open++;
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &wanted)) fail("epoll_ctl");
    return connection;
}

static void arrive(double due_seconds) {
    Connection *connection = idle_count ? idle[--idle_count] : NULL;
    int fresh = !connection;
    if (fresh) connection = opened();
    if (counts(due_seconds)) {
        sent++;
        keep(&late, now() - due_seconds);
        if (!connection) missed++;
    }
    if (!connection) return;
    busy++;
    connection->due_seconds = due_seconds;
    connection->sent_bytes = connection->head_bytes = 0;
    if (!fresh) {
        connection->state = CONNECTING;
        push(connection);
    }
}

static void answered(Connection *connection) {
    double at = now(), took_seconds = at - connection->due_seconds;
    busy--;
    if (connection->status == 503) last_refusal_seconds = at - began_seconds;
    if (counts(connection->due_seconds)) {
        if (connection->status == 200) keep(&good, took_seconds);
        else if (connection->status == 503) {
            keep(&refused, took_seconds);
            if (connection->retry_seconds < retry_least_seconds) retry_least_seconds = connection->retry_seconds;
            if (connection->retry_seconds > retry_most_seconds) retry_most_seconds = connection->retry_seconds;
        } else other++;
    }
    if (connection->closes) { drop(connection); return; }
    connection->state = IDLE;
    idle[idle_count++] = connection;
}

static const char *field(Connection *connection, const char *name) {
    const char *found = strcasestr(connection->head, name);
    return found ? found + strlen(name) : NULL;
}

/* Take the head once it is whole; give how many of these bytes were the body's, -1 when it is not there yet. */
static long headed(Connection *connection) {
    connection->head[connection->head_bytes] = 0;
    char *end = strstr(connection->head, "\r\n\r\n");
    if (!end) return connection->head_bytes + 1 < HEAD_BYTES_MOST ? -1 : -2;
    long more = (long)(connection->head_bytes - (size_t)(end + 4 - connection->head));
    end[2] = 0;
    const char *length = field(connection, "\r\ncontent-length:"), *wait = field(connection, "\r\nretry-after:");
    if (!length || connection->head_bytes < 12) return -2;
    connection->status = atoi(connection->head + 9);
    connection->body_bytes = atol(length);
    connection->retry_seconds = wait ? atof(wait) : -1;
    connection->closes = field(connection, "\r\nconnection: close") != NULL;
    connection->state = READING;
    return more;
}

static void take(Connection *connection) {
    static char body[1 << 16];
    while (connection->state == WAITING || connection->state == READING) {
        int in_head = connection->state == WAITING;
        char *into = in_head ? connection->head + connection->head_bytes : body;
        size_t room = in_head ? HEAD_BYTES_MOST - 1 - connection->head_bytes : sizeof body;
        ssize_t got = recv(connection->fd, into, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { lose(connection); return; }
        long more = got;
        if (in_head) {
            connection->head_bytes += (size_t)got;
            more = headed(connection);
            if (more == -1) continue;
            if (more == -2) { lose(connection); return; }
        }
        connection->body_bytes -= more;
        if (connection->body_bytes <= 0) answered(connection);
    }
}

static void look(Connection *connection, uint32_t events) {
    if (connection->state == CLOSED) return;
    if (connection->state == CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) { lose(connection); return; }
        push(connection);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (connection->state == IDLE) lose(connection);
        else take(connection);
    }
}

static void wait_until(double until_seconds) {
    static struct epoll_event found[EVENTS_MOST];
    double seconds = until_seconds - now();
    int number;
    if (seconds < 0) seconds = 0;
#ifdef SYS_epoll_pwait2
    struct timespec longest = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    number = (int)syscall(SYS_epoll_pwait2, epoll_fd, found, EVENTS_MOST, &longest, NULL, 0);
    if (number < 0 && errno == ENOSYS)
#endif
        number = epoll_wait(epoll_fd, found, EVENTS_MOST, (int)(seconds * 1000));
    for (int at = 0; at < number; at++) look(found[at].data.ptr, found[at].events);
}

static void told(const char *name, Times *times) {
    qsort(times->values, times->count, sizeof(float), by_size);
    printf("\"%s\": {\"count\": %zu, \"p50_milliseconds\": %.3f, ", name, times->count, percentile(times, 50));
    printf("\"p99_milliseconds\": %.3f, ", percentile(times, 99));
    printf("\"worst_milliseconds\": %.3f}, ", percentile(times, 100));
}

static double cpu_seconds(struct timeval *used) { return (double)used->tv_sec + (double)used->tv_usec * 1e-6; }

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: arrivals PORT CALLS_A_SECOND WARM_SECONDS SECONDS CONNECTIONS_MOST SEED < REQUEST\n");
        return 2;
    }
    port = atoi(words[1]);
    double calls_a_second = atof(words[2]), warm_seconds = atof(words[3]), seconds = atof(words[4]);
    connections_most = atoi(words[5]);
    random_state = strtoull(words[6], NULL, 10);
    request_bytes = fread(request, 1, sizeof request, stdin);
    if (port <= 0 || calls_a_second <= 0 || seconds <= 0 || connections_most <= 0 || !request_bytes) {
        errno = EINVAL;
        fail("arguments");
    }
    connections = calloc((size_t)connections_most, sizeof *connections);
    idle = calloc((size_t)connections_most, sizeof *idle);
    if (!connections || !idle || (epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("start");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    began_seconds = now();
    counted_from_seconds = began_seconds + warm_seconds;
    ends_seconds = counted_from_seconds + seconds;
    double due = began_seconds;
    while ((due += gap_seconds(calls_a_second)) < ends_seconds) {
        do wait_until(due); while (now() < due);
        arrive(due);
    }
    size_t good_in_time = good.count;
    while (busy > 0 && now() < ends_seconds + GRACE_SECONDS) wait_until(now() + 0.05);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{");
    told("good", &good);
    told("refused", &refused);
    told("late", &late);
    printf("\"sent\": %ld, \"missed\": %ld, \"broken\": %ld, ", sent, missed, broken);
    printf("\"other\": %ld, \"unanswered\": %ld, ", other, busy);
    printf("\"good_per_second\": %.1f, ", (double)good_in_time / seconds);
    printf("\"retry_after_least_seconds\": %g, ", refused.count ? retry_least_seconds : -1);
    printf("\"retry_after_most_seconds\": %g, ", retry_most_seconds);
    printf("\"last_refusal_seconds\": %.3f, ", last_refusal_seconds);
    printf("\"own_cpu_seconds\": %.3f}\n", cpu_seconds(&used.ru_utime) + cpu_seconds(&used.ru_stime));
    return 0;
}

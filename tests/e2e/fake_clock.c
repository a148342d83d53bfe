/* The clock of a process, as many seconds before the right time as the file FAKE_CLOCK says; also while it runs.
 *
 * Only the time of day is another one. What counts how long something takes (CLOCK_MONOTONIC) stays, and so do sleeps
 * and time limits, as on a machine whose clock is set. To be preloaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead; /* in seconds; the test writes it */
static int (*right_time)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAKE_CLOCK");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  right_time = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  if (file < 0) return;
  void *there = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  if (there != MAP_FAILED) ahead = there;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!right_time) begin();
  int failed = right_time(clock, now);
  if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME_COARSE, &exact)) return -1;
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}

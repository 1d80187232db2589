//go:build cgo

// A module is tried in a child process, made by fork alone: no program is
// started, and none could be. The child has one thread, this one, and a copy
// of everything else; Go's scheduler is not in it, so nothing here may call
// Go. The C library makes its own locks, those of memory and of the loader,
// good again in a child.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cryptoki.h"
#include "trial_linux.h"

int module_loaded(const char *path)
{
	void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return 0;
	dlclose(handle); // what it counted up
	return 1;
}

static void say(int pipe, int stage, int problem, unsigned long value, const char *text)
{
	struct trial_report report;
	memset(&report, 0, sizeof report);
	report.stage = stage;
	report.problem = problem;
	report.value = value;
	if (text != NULL)
		strncpy(report.text, text, sizeof report.text - 1);
	while (write(pipe, &report, sizeof report) < 0 && errno == EINTR)
		;
}

// What the driver calls later. One that is missing would be a jump to 0.
static const int needed[] = {
	CK_INITIALIZE, CK_FINALIZE, CK_GET_INFO, CK_GET_SLOT_LIST, CK_GET_SLOT_INFO, CK_GET_TOKEN_INFO,
	CK_OPEN_SESSION, CK_CLOSE_SESSION, CK_LOGIN, CK_GET_ATTRIBUTE_VALUE, CK_FIND_OBJECTS_INIT,
	CK_FIND_OBJECTS, CK_FIND_OBJECTS_FINAL, CK_SIGN_INIT, CK_SIGN,
};

// try does in the child what the parent would do, and says before each step
// what it is about to do: the last word of one that dies is where it died.
static void try(int pipe, const char *path, const char *reserved)
{
	struct ck_function_list *list = NULL;
	struct ck_initialize_args args;
	struct ck_info info;
	ck_rv rv;

	say(pipe, TRIAL_LOAD, 0, 0, NULL);
	// RTLD_NOW: a symbol that is nowhere would end the process at the first
	// call that needs it.
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		say(pipe, TRIAL_LOAD, TRIAL_NO_LIBRARY, 0, dlerror());
		return;
	}
	say(pipe, TRIAL_SYMBOL, 0, 0, NULL);
	ck_get_function_list get = (ck_get_function_list)dlsym(library, "C_GetFunctionList");
	if (get == NULL) {
		say(pipe, TRIAL_SYMBOL, TRIAL_NO_SYMBOL, 0, NULL);
		return;
	}
	say(pipe, TRIAL_LIST, 0, 0, NULL);
	rv = get(&list);
	if (rv != 0) {
		say(pipe, TRIAL_LIST, TRIAL_REFUSED, rv, NULL);
		return;
	}
	if (list == NULL) {
		say(pipe, TRIAL_LIST, TRIAL_NULL_LIST, 0, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		if (list->function[needed[i]] == NULL) {
			say(pipe, TRIAL_LIST, TRIAL_NULL_FUNCTION, needed[i], NULL);
			return;
		}
	}
	say(pipe, TRIAL_INITIALIZE, 0, 0, NULL);
	memset(&args, 0, sizeof args);
	args.flags = CKF_OS_LOCKING_OK;
	args.reserved = (void *)reserved;
	rv = ((ck_initialize)list->function[CK_INITIALIZE])(&args);
	if (rv != 0) {
		say(pipe, TRIAL_INITIALIZE, TRIAL_REFUSED, rv, NULL);
		return;
	}
	say(pipe, TRIAL_INFO, 0, 0, NULL);
	((ck_get_info)list->function[CK_GET_INFO])(&info);
	say(pipe, TRIAL_FINALIZE, 0, 0, NULL);
	((ck_finalize)list->function[CK_FINALIZE])(NULL);
	say(pipe, TRIAL_DONE, 0, 0, NULL);
}

// child never returns. It has the parent's signal handlers, which are Go's and
// would find no Go: all are put back first, so that a crash ends the child, in
// silence. It is a group of its own: Ctrl-C is for the parent to hear, and the
// child is killed with whatever it has started. It does not outlive the parent.
static void child(int pipe, const char *path, const char *reserved, pid_t parent)
{
	sigset_t none;
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	try(pipe, path, reserved);
	_exit(0); // and none of the parent's work at exit
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// listen_to reads reports until the child has ended, has come to its end or to a
// problem, or the time is over. A child of the child may hold the pipe open.
static int listen_to(int pipe, pid_t pid, long deadline, struct trial_result *result, int *status)
{
	for (;;) {
		struct pollfd p = { pipe, POLLIN, 0 };
		long left = deadline - now();
		if (left <= 0)
			return 0;
		int ended = waitpid(pid, status, WNOHANG) == pid;
		int ready = poll(&p, 1, ended ? 0 : (left < 20 ? (int)left : 20));
		if (ready > 0) {
			struct trial_report report;
			ssize_t n = read(pipe, &report, sizeof report);
			if (n == (ssize_t)sizeof report) {
				result->last = report;
				if (!ended)
					continue;
				// what else it wrote before it ended
				while (poll(&p, 1, 0) > 0 && read(pipe, &report, sizeof report) == (ssize_t)sizeof report)
					result->last = report;
			} else if (n == 0 && !ended) {
				// It closed the pipe, and ends.
				struct timespec t = { 0, 1000000 };
				nanosleep(&t, NULL);
			}
		}
		if (ended)
			return 1;
	}
}

void module_trial(const char *path, const char *reserved, long milliseconds, struct trial_result *result)
{
	int pipes[2], status = 0;
	sigset_t all, before;
	pid_t parent = getpid();

	memset(result, 0, sizeof *result);
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		result->ending = TRIAL_NO_CHILD;
		result->number = errno;
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); // no handler runs in the child before it has put them back
	pid_t pid = fork();
	if (pid == 0) {
		close(pipes[0]);
		child(pipes[1], path, reserved, parent);
	}
	int problem = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		result->ending = TRIAL_NO_CHILD;
		result->number = problem;
		return;
	}
	if (listen_to(pipes[0], pid, now() + milliseconds, result, &status)) {
		result->ending = WIFSIGNALED(status) ? TRIAL_KILLED : TRIAL_EXITED;
		result->number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	} else {
		result->ending = TRIAL_HUNG;
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		// One that the kernel holds cannot be killed: it is left behind.
		for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++) {
			struct timespec t = { 0, 10000000 };
			nanosleep(&t, NULL);
		}
	}
	close(pipes[0]);
}

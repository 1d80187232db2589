#ifndef TUFCEREMONY_TRIAL_H
#define TUFCEREMONY_TRIAL_H

// How far a trial came. The order is that of a module's life.
enum { TRIAL_LOAD = 1, TRIAL_SYMBOL, TRIAL_LIST, TRIAL_INITIALIZE, TRIAL_INFO, TRIAL_FINALIZE, TRIAL_DONE };

// What the child found at a stage. 0 says that the stage began.
enum { TRIAL_NO_LIBRARY = 1, TRIAL_NO_SYMBOL, TRIAL_REFUSED, TRIAL_NULL_LIST, TRIAL_NULL_FUNCTION };

// How the child ended.
enum { TRIAL_EXITED = 1, TRIAL_KILLED, TRIAL_HUNG, TRIAL_NO_CHILD };

// trial_report is what the child writes into the pipe, in one piece.
struct trial_report {
	int stage, problem;
	unsigned long value; // a return value, or the place of a function
	char text[384];      // what the loader said
};

struct trial_result {
	struct trial_report last;
	int ending;
	int number; // exit status, signal, or errno
};

// module_loaded says whether a library is in this process already.
int module_loaded(const char *path);

// module_trial loads, initialises and finalises a module in a child process.
void module_trial(const char *path, const char *reserved, long milliseconds, struct trial_result *result);

#endif

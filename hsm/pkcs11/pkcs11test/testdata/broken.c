// Modules that are broken before anything can be asked of them. KIND says how.

#include <stddef.h>
#include <unistd.h>

#include "cryptoki.h"

enum { NO_SYMBOL, MISSING_SYMBOL, CONSTRUCTOR_CRASH, CONSTRUCTOR_HANG, CONSTRUCTOR_EXIT, LIST_CRASH, LIST_NULL, LIST_REFUSED, LIST_EMPTY };

extern void no_library_has_this(void);

static void crash(void)
{
	*(volatile int *)8 = 1;
}

static void hang(void)
{
	for (;;)
		pause();
}

__attribute__((constructor)) static void load(void)
{
	switch (KIND) {
	case CONSTRUCTOR_CRASH:
		crash();
		break;
	case CONSTRUCTOR_HANG:
		hang();
		break;
	case CONSTRUCTOR_EXIT:
		_exit(7);
	}
#if KIND == 1
	no_library_has_this();
#endif
}

#if KIND != 0
ck_rv C_GetFunctionList(struct ck_function_list **list)
{
	static struct ck_function_list empty;
	switch (KIND) {
	case LIST_CRASH:
		crash();
		break;
	case LIST_REFUSED:
		return 5; // CKR_GENERAL_ERROR
	case LIST_EMPTY:
		*list = &empty;
		return 0;
	}
	*list = NULL;
	return 0;
}
#endif

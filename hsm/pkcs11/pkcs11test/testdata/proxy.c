// A PKCS#11 module for tests. It hands every call on to SoftHSM, and fails on
// demand as devices do. What to do wrong stands in a file that is read at each
// call, a line a fault:
//
//	C_Sign rv 0x32           answer that, and do nothing
//	C_Sign hang | crash | exit
//	C_Login late 700         go on after so many milliseconds
//	C_Sign flip | short      spoil the signature
//	C_Sign mechanism 0xd 0x70, C_SignInit mechanism 0x1057 0x70
//	C_SignInit other         sign with another private key of the token
//	C_GetSlotList none       the list is empty, as when a card was pulled
//	C_GetTokenInfo flags 0x20000
//	C_GetSlotInfo removable  the slot is a card reader
//	C_FindObjects none       there are no objects
//	C_GetSlotList twin       show the last slot twice; the twin's serial is TWIN
//	C_GetAttributeValue id | class | point
//	C_GenerateKeyPair lost   report a key, and lose it
//	C_Initialize reserved TEXT   want that argument; without the line, none
//	C_Initialize elsewhere PID 0x190   answer that in all processes but one
//
// Calls are written into another file, with the process: "123 C_Login".

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cryptoki.h"

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong length;
};

// CK_TOKEN_INFO, as far as its flags.
struct ck_token_info {
	char text[96];
	ck_ulong flags;
};

static struct ck_function_list *real, list;
static ck_ulong mechanism;

#define REAL(place, type) ((type)real->function[place])

static void note(const char *format, ...)
{
	char line[256];
	const char *path = getenv("FAKE_PKCS11_LOG");
	if (path == NULL)
		return;
	int n = snprintf(line, sizeof line, "%d ", getpid());
	va_list arguments;
	va_start(arguments, format);
	n += vsnprintf(line + n, sizeof line - n - 1, format, arguments);
	va_end(arguments);
	line[n++] = '\n';
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd >= 0) {
		if (write(fd, line, n) < 0)
			abort();
		close(fd);
	}
}

// fault says whether a function is to do something wrong, and with what.
static int fault(const char *function, const char *what, char *argument, size_t size)
{
	char line[1200], name[64], kind[64];
	const char *path = getenv("FAKE_PKCS11_CONTROL");
	FILE *f = path == NULL ? NULL : fopen(path, "r");
	int found = 0, n = 0;
	if (f == NULL)
		return 0;
	while (!found && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = 0;
		n = 0;
		if (sscanf(line, "%63s %63s %n", name, kind, &n) < 2 || strcmp(name, function) != 0 || strcmp(kind, what) != 0)
			continue;
		found = 1;
		if (argument != NULL)
			snprintf(argument, size, "%s", n > 0 ? line + n : "");
	}
	fclose(f);
	return found;
}

// begin is how every function begins: it is noted, and may end here.
static int begin(const char *function, ck_rv *rv)
{
	char argument[64];
	note("%s", function);
	if (fault(function, "crash", NULL, 0))
		*(volatile int *)8 = 1;
	if (fault(function, "exit", NULL, 0))
		_exit(3);
	if (fault(function, "hang", NULL, 0))
		for (;;)
			pause();
	if (fault(function, "late", argument, sizeof argument))
		usleep(strtoul(argument, NULL, 0) * 1000);
	if (!fault(function, "rv", argument, sizeof argument))
		return 0;
	*rv = strtoul(argument, NULL, 0);
	return 1;
}

static ck_rv initialize(struct ck_initialize_args *args)
{
	char argument[1024];
	ck_rv rv;
	if (begin("C_Initialize", &rv))
		return rv;
	if (fault("C_Initialize", "elsewhere", argument, sizeof argument)) {
		char *rest;
		if (strtol(argument, &rest, 10) != getpid())
			return strtoul(rest, NULL, 0);
	}
	int wanted = fault("C_Initialize", "reserved", argument, sizeof argument);
	const char *given = args == NULL ? NULL : args->reserved;
	if (wanted != (given != NULL) || (wanted && strcmp(argument, given) != 0))
		return 7; // CKR_ARGUMENTS_BAD
	struct ck_initialize_args plain = { .flags = CKF_OS_LOCKING_OK };
	rv = REAL(CK_INITIALIZE, ck_initialize)(&plain);
	if (rv == 0x191) { // by another proxy that was given up
		REAL(CK_FINALIZE, ck_finalize)(NULL);
		rv = REAL(CK_INITIALIZE, ck_initialize)(&plain);
	}
	return rv;
}

static ck_rv finalize(void *reserved)
{
	ck_rv rv;
	return begin("C_Finalize", &rv) ? rv : REAL(CK_FINALIZE, ck_finalize)(reserved);
}

static ck_rv get_info(struct ck_info *info)
{
	ck_rv rv;
	return begin("C_GetInfo", &rv) ? rv : REAL(CK_GET_INFO, ck_get_info)(info);
}

#define TWIN 0x7777
static ck_ulong last_slot;

static ck_rv get_slot_list(unsigned char present, ck_ulong *slots, ck_ulong *count)
{
	ck_rv rv;
	if (begin("C_GetSlotList", &rv))
		return rv;
	if (fault("C_GetSlotList", "none", NULL, 0)) {
		*count = 0;
		return 0;
	}
	int twin = fault("C_GetSlotList", "twin", NULL, 0);
	if (twin && slots != NULL)
		(*count)--;
	rv = REAL(CK_GET_SLOT_LIST, ck_rv (*)(unsigned char, ck_ulong *, ck_ulong *))(present, slots, count);
	if (rv == 0 && twin && slots != NULL) {
		last_slot = slots[*count - 1];
		slots[*count] = TWIN;
	}
	if (rv == 0 && twin)
		(*count)++;
	return rv;
}

static ck_rv get_token_info(ck_ulong slot, struct ck_token_info *info)
{
	char argument[64];
	ck_rv rv;
	if (begin("C_GetTokenInfo", &rv))
		return rv;
	rv = REAL(CK_GET_TOKEN_INFO, ck_rv (*)(ck_ulong, struct ck_token_info *))(slot == TWIN ? last_slot : slot, info);
	if (rv == 0 && slot == TWIN)
		memcpy(info->text + 80, "TWIN            ", 16);
	if (rv == 0 && fault("C_GetTokenInfo", "flags", argument, sizeof argument))
		info->flags |= strtoul(argument, NULL, 0);
	return rv;
}

static ck_rv get_slot_info(ck_ulong slot, unsigned char *info)
{
	ck_rv rv;
	ck_ulong flags;
	if (begin("C_GetSlotInfo", &rv))
		return rv;
	rv = REAL(CK_GET_SLOT_INFO, ck_rv (*)(ck_ulong, unsigned char *))(slot == TWIN ? last_slot : slot, info);
	if (rv == 0 && fault("C_GetSlotInfo", "removable", NULL, 0)) {
		memcpy(&flags, info + 96, sizeof flags); // after description and maker
		flags |= 2; // CKF_REMOVABLE_DEVICE
		memcpy(info + 96, &flags, sizeof flags);
	}
	return rv;
}

static ck_rv open_session(ck_ulong slot, ck_ulong flags, void *application, void *notify, ck_ulong *session)
{
	ck_rv rv;
	return begin("C_OpenSession", &rv) ? rv : REAL(CK_OPEN_SESSION, ck_rv (*)(ck_ulong, ck_ulong, void *, void *, ck_ulong *))(slot, flags, application, notify, session);
}

static ck_rv close_session(ck_ulong session)
{
	ck_rv rv;
	return begin("C_CloseSession", &rv) ? rv : REAL(CK_CLOSE_SESSION, ck_rv (*)(ck_ulong))(session);
}

static ck_rv login(ck_ulong session, ck_ulong user, unsigned char *pin, ck_ulong length)
{
	ck_rv rv;
	if (begin("C_Login", &rv))
		return rv;
	rv = REAL(CK_LOGIN, ck_login)(session, user, pin, length);
	note("login 0x%lx", rv);
	return rv;
}

typedef ck_rv (*get_attribute_value_type)(ck_ulong, ck_ulong, struct ck_attribute *, ck_ulong);

static ck_ulong class_of(ck_ulong session, ck_ulong object)
{
	ck_ulong class = 0;
	struct ck_attribute a = { 0, &class, sizeof class };
	REAL(CK_GET_ATTRIBUTE_VALUE, get_attribute_value_type)(session, object, &a, 1);
	return class;
}

// get_attribute_value lies: of a private key's ID, of its class, of a public
// key's point.
static ck_rv get_attribute_value(ck_ulong session, ck_ulong object, struct ck_attribute *a, ck_ulong n)
{
	ck_rv rv;
	if (begin("C_GetAttributeValue", &rv))
		return rv;
	rv = REAL(CK_GET_ATTRIBUTE_VALUE, get_attribute_value_type)(session, object, a, n);
	if (rv != 0 || a->value == NULL || a->length == 0)
		return rv;
	unsigned char *last = (unsigned char *)a->value + a->length - 1;
	if (a->type == 0x102 && class_of(session, object) == 3 && fault("C_GetAttributeValue", "id", NULL, 0))
		*last ^= 1;
	if (a->type == 0 && *(ck_ulong *)a->value == 3 && fault("C_GetAttributeValue", "class", NULL, 0))
		*(ck_ulong *)a->value = 2;
	// Another point of the same curve: its mirror image would need arithmetic,
	// so the test brings one.
	char argument[300];
	if (a->type == 0x181 && fault("C_GetAttributeValue", "point", argument, sizeof argument))
		for (ck_ulong i = 0; i < a->length && sscanf(argument + 2 * i, "%2hhx", (unsigned char *)a->value + i) == 1; i++)
			;
	return rv;
}

static ck_rv find_objects_init(ck_ulong session, struct ck_attribute *a, ck_ulong n)
{
	ck_rv rv;
	return begin("C_FindObjectsInit", &rv) ? rv : REAL(CK_FIND_OBJECTS_INIT, ck_rv (*)(ck_ulong, struct ck_attribute *, ck_ulong))(session, a, n);
}

typedef ck_rv (*find_objects_type)(ck_ulong, ck_ulong *, ck_ulong, ck_ulong *);

static ck_rv find_objects(ck_ulong session, ck_ulong *objects, ck_ulong most, ck_ulong *found)
{
	ck_rv rv;
	if (begin("C_FindObjects", &rv))
		return rv;
	if (fault("C_FindObjects", "none", NULL, 0)) {
		*found = 0;
		return 0;
	}
	return REAL(CK_FIND_OBJECTS, find_objects_type)(session, objects, most, found);
}

static ck_ulong other_key(ck_ulong session, ck_ulong object)
{
	ck_ulong class = 3, objects[16], n = 0;
	struct ck_attribute a = { 0, &class, sizeof class };
	REAL(CK_FIND_OBJECTS_INIT, ck_rv (*)(ck_ulong, struct ck_attribute *, ck_ulong))(session, &a, 1);
	REAL(CK_FIND_OBJECTS, find_objects_type)(session, objects, 16, &n);
	REAL(CK_FIND_OBJECTS_FINAL, ck_rv (*)(ck_ulong))(session);
	while (n-- > 0)
		if (objects[n] != object)
			return objects[n];
	return object;
}

// refused says whether a function refuses the mechanism of now.
static int refused(const char *function, ck_rv *rv)
{
	char argument[64], *rest;
	if (!fault(function, "mechanism", argument, sizeof argument) || strtoul(argument, &rest, 0) != mechanism)
		return 0;
	*rv = strtoul(rest, NULL, 0);
	return 1;
}

static ck_rv sign_init(ck_ulong session, struct ck_mechanism *m, ck_ulong object)
{
	ck_rv rv;
	mechanism = m->mechanism;
	note("mechanism 0x%lx", mechanism);
	if (begin("C_SignInit", &rv) || refused("C_SignInit", &rv))
		return rv;
	if (class_of(session, object) != 3)
		abort(); // a TPM would be out of order from here on
	if (fault("C_SignInit", "other", NULL, 0))
		object = other_key(session, object);
	return REAL(CK_SIGN_INIT, ck_sign_init)(session, m, object);
}

static ck_rv sign(ck_ulong session, unsigned char *data, ck_ulong length, unsigned char *signature, ck_ulong *size)
{
	ck_rv rv;
	// The question for the length, and the signature, are one call to tests.
	if (signature == NULL)
		return REAL(CK_SIGN, ck_sign)(session, data, length, signature, size);
	if (begin("C_Sign", &rv) || refused("C_Sign", &rv))
		return rv; // with the operation still under way, as broken modules leave it
	rv = REAL(CK_SIGN, ck_sign)(session, data, length, signature, size);
	if (rv == 0 && fault("C_Sign", "flip", NULL, 0))
		signature[*size / 2] ^= 4;
	if (rv == 0 && fault("C_Sign", "short", NULL, 0))
		--*size;
	return rv;
}

static ck_rv init_token(ck_ulong slot, unsigned char *pin, ck_ulong length, unsigned char *label)
{
	ck_rv rv;
	return begin("C_InitToken", &rv) ? rv : REAL(CK_INIT_TOKEN, ck_rv (*)(ck_ulong, unsigned char *, ck_ulong, unsigned char *))(slot, pin, length, label);
}

#define DESTROY_OBJECT 22 // C_DestroyObject's place in the list of functions

static ck_rv destroy_object(ck_ulong session, ck_ulong object)
{
	ck_rv rv;
	return begin("C_DestroyObject", &rv) ? rv : REAL(DESTROY_OBJECT, ck_rv (*)(ck_ulong, ck_ulong))(session, object);
}

static ck_rv generate_key_pair(ck_ulong session, void *m, void *public, ck_ulong publics, void *private, ck_ulong privates, ck_ulong *one, ck_ulong *other)
{
	ck_rv rv;
	if (begin("C_GenerateKeyPair", &rv))
		return rv;
	rv = REAL(CK_GENERATE_KEY_PAIR, ck_rv (*)(ck_ulong, void *, void *, ck_ulong, void *, ck_ulong, ck_ulong *, ck_ulong *))(session, m, public, publics, private, privates, one, other);
	if (rv == 0 && fault("C_GenerateKeyPair", "lost", NULL, 0)) {
		REAL(DESTROY_OBJECT, ck_rv (*)(ck_ulong, ck_ulong))(session, *one);
		REAL(DESTROY_OBJECT, ck_rv (*)(ck_ulong, ck_ulong))(session, *other);
	}
	return rv;
}

// In several parts nothing is signed: with tpm2-pkcs11 it would be the empty
// message.
static ck_rv in_parts(void)
{
	abort();
}

ck_rv C_GetFunctionList(struct ck_function_list **result)
{
	if (real == NULL) {
		const char *path = getenv("FAKE_PKCS11_MODULE");
		void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
		ck_get_function_list get = library == NULL ? NULL : (ck_get_function_list)dlsym(library, "C_GetFunctionList");
		if (get == NULL || get(&real) != 0)
			return 5; // CKR_GENERAL_ERROR
		list = *real;
#define OWN(place, name) list.function[place] = (void (*)(void))name
		OWN(CK_GET_FUNCTION_LIST, C_GetFunctionList);
		OWN(CK_INITIALIZE, initialize);
		OWN(CK_FINALIZE, finalize);
		OWN(CK_GET_INFO, get_info);
		OWN(CK_GET_SLOT_LIST, get_slot_list);
		OWN(CK_GET_TOKEN_INFO, get_token_info);
	OWN(CK_GET_SLOT_INFO, get_slot_info);
		OWN(CK_OPEN_SESSION, open_session);
		OWN(CK_CLOSE_SESSION, close_session);
		OWN(CK_LOGIN, login);
		OWN(CK_GET_ATTRIBUTE_VALUE, get_attribute_value);
		OWN(CK_FIND_OBJECTS_INIT, find_objects_init);
		OWN(CK_FIND_OBJECTS, find_objects);
		OWN(CK_SIGN_INIT, sign_init);
		OWN(CK_SIGN, sign);
		OWN(CK_INIT_TOKEN, init_token);
		OWN(CK_GENERATE_KEY_PAIR, generate_key_pair);
		OWN(DESTROY_OBJECT, destroy_object);
		OWN(CK_SIGN_UPDATE, in_parts);
		OWN(CK_SIGN_FINAL, in_parts);
	}
	*result = &list;
	return 0;
}

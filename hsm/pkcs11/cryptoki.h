// The little of PKCS#11 that is called here without the binding: to try a
// module before it is trusted, to give it a PIN without a copy, and to write
// modules for tests. On Unix its structures have C's own alignment.

#ifndef TUFCEREMONY_CRYPTOKI_H
#define TUFCEREMONY_CRYPTOKI_H

typedef unsigned long ck_ulong;
typedef ck_ulong ck_rv;

struct ck_version {
	unsigned char major, minor;
};

// Places in a function list, in the standard's order.
enum {
	CK_INITIALIZE = 0, CK_FINALIZE = 1, CK_GET_INFO = 2, CK_GET_FUNCTION_LIST = 3,
	CK_GET_SLOT_LIST = 4, CK_GET_SLOT_INFO = 5, CK_GET_TOKEN_INFO = 6, CK_INIT_TOKEN = 9,
	CK_INIT_PIN = 10, CK_OPEN_SESSION = 12, CK_CLOSE_SESSION = 13, CK_LOGIN = 18,
	CK_GET_ATTRIBUTE_VALUE = 24, CK_FIND_OBJECTS_INIT = 26, CK_FIND_OBJECTS = 27,
	CK_FIND_OBJECTS_FINAL = 28, CK_SIGN_INIT = 42, CK_SIGN = 43, CK_SIGN_UPDATE = 44,
	CK_SIGN_FINAL = 45, CK_GENERATE_KEY_PAIR = 59, CK_FUNCTIONS = 68
};

struct ck_function_list {
	struct ck_version version;
	void (*function[CK_FUNCTIONS])(void);
};

struct ck_initialize_args {
	void *create_mutex, *destroy_mutex, *lock_mutex, *unlock_mutex;
	ck_ulong flags;
	void *reserved;
};

#define CKF_OS_LOCKING_OK 2UL

// CK_INFO is 88 bytes; a module that was built with another idea of it finds
// room here too.
struct ck_info {
	ck_ulong room[64];
};

struct ck_mechanism {
	ck_ulong mechanism;
	void *parameter;
	ck_ulong length;
};

typedef ck_rv (*ck_sign_init)(ck_ulong session, struct ck_mechanism *mechanism, ck_ulong key);
typedef ck_rv (*ck_sign)(ck_ulong session, unsigned char *data, ck_ulong length, unsigned char *signature, ck_ulong *size);
typedef ck_rv (*ck_get_function_list)(struct ck_function_list **);
typedef ck_rv (*ck_initialize)(struct ck_initialize_args *);
typedef ck_rv (*ck_finalize)(void *);
typedef ck_rv (*ck_get_info)(struct ck_info *);
typedef ck_rv (*ck_login)(ck_ulong session, ck_ulong user, unsigned char *pin, ck_ulong length);
typedef ck_rv (*ck_init_pin)(ck_ulong session, unsigned char *pin, ck_ulong length);
typedef ck_rv (*ck_init_token)(ck_ulong slot, unsigned char *pin, ck_ulong length, unsigned char *label);

#endif

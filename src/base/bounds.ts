// Bounds that several parts of the program must agree on, each with its unit in its name. A bound that one file alone keeps
// stands in that file.

/** Most guards, and most writes, in one commit; etcd takes 128 of each by default (--max-txn-ops). */
export const MAX_TXN_GUARDS = 120;
export const MAX_TXN_WRITES = 120;

/** Most bytes of a commit's keys and values together; etcd takes 1.5 MiB by default (--max-request-bytes). */
export const MAX_TXN_BYTES = 1_280 * 1024;

/** Longest key that a record may have, in bytes. */
export const MAX_KEY_BYTES = 512;

/** Longest value that a record may have, in bytes: a longer one is unreadable, and is never parsed. */
export const MAX_VALUE_BYTES = 16 * 1024;

/** Most records that one read may bring, and most bytes of their keys and values together. */
export const MAX_RECORDS = 100_000;
export const MAX_READ_BYTES = 64 * 1024 * 1024;

/** Most nodes, elections, and candidates of one election that a node keeps track of: more are ignored, with a warning. */
export const MAX_NODES = 4_096;
export const MAX_ELECTIONS = 20_000;
export const MAX_CANDIDATES = 256;

/** How many ownership changes an election remembers. */
export const HISTORY_LENGTH = 128;

/** Shortest and longest lease that a configuration may ask for, in milliseconds. */
export const MIN_TTL_MS = 200;
export const MAX_TTL_MS = 600_000;

/** Largest configuration file, in bytes; the deepest nesting in it; and most values in it once its aliases are expanded. */
export const MAX_CONFIG_BYTES = 2 * 1024 * 1024;
export const MAX_CONFIG_DEPTH = 32;
export const MAX_CONFIG_VALUES = 500_000;

/** Most keys in a group of it other than vips: far more than there are words for. */
export const MAX_CONFIG_KEYS = 256;

/** Most mistakes of a configuration that are told one by one. */
export const MAX_CONFIG_MISTAKES = 100;

/** Largest file that a store URL, a webhook or mail names, such as a password or a certificate, in bytes. */
export const MAX_SECRET_BYTES = 256 * 1024;

/** Most VIPs of one node, and most addresses of one VIP. */
export const MAX_VIPS = 8_192;
export const MAX_ADDRESSES_PER_VIP = 32;

/** Most routes, and most rules, of one VIP. */
export const MAX_ROUTES_PER_VIP = 64;

/** Most VIPs that a host is a real server of, and most interfaces on which it is one. */
export const MAX_REAL_SERVERS = 256;
export const MAX_REAL_SERVER_INTERFACES = 16;

/** Most changes that wait in one watch before it becomes a gap. */
export const MAX_PENDING_CHANGES = 20_000;

/** Largest admin request and answer, in bytes. */
export const MAX_ADMIN_REQUEST_BYTES = 64 * 1024;
export const MAX_ADMIN_ANSWER_BYTES = 32 * 1024 * 1024;

/** Longest text that a view carries, in UTF-16 code units: what is longer is cut where it is made. */
export const MAX_VIEW_TEXT = 2_000;

/** Most admin connections at a time, and most of them that watch; root has some more of each. */
export const MAX_ADMIN_CONNECTIONS = 64;
export const MAX_ADMIN_WATCHES = 32;
export const ADMIN_SLOTS_OF_ROOT = 4;

/** Most events that wait for one state machine. */
export const MAX_QUEUED_EVENTS = 100_000;

// Where vipd's files are when nobody says otherwise.

/** The configuration. */
export const DEFAULT_CONFIG_FILE = "/etc/vipd/vipd.yaml";

/** What the daemon keeps over restarts. */
export const DEFAULT_STATE_DIR = "/var/lib/vipd";

/** The socket at which a daemon answers vipctl. */
export const DEFAULT_SOCKET = "/run/vipd/vipd.sock";

// Where vipd's files are when nobody says otherwise.

/** The configuration. */
export const DEFAULT_CONFIG_FILE = "/etc/vipd/vipd.yaml";

/** The socket at which a daemon answers vipctl. */
export const DEFAULT_SOCKET = "/run/vipd/vipd.sock";

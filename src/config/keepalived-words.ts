// keepalived's keywords, and what they are here.

/** What is right instead, by keepalived's word. */
const KEEPALIVED: Readonly<Record<string, string>> = {
  virtual_ipaddress: "keepalived's virtual_ipaddress is 'addresses' here",
  virtual_ipaddress_excluded: "keepalived's virtual_ipaddress_excluded is 'addresses' here",
  virtual_routes: "keepalived's virtual_routes is 'routes' here",
  virtual_rules: "keepalived's virtual_rules is 'rules' here",
  vrrp_sync_group:
    "leave it out: the 'addresses' of one VIP move together, each with an 'interface' of its own where need be",
  nopreempt: "keepalived's nopreempt is 'preempt: false' here",
  preempt_delay: "keepalived's preempt_delay is 'preemptDelay' here, with a unit",
  garp_master_delay: "keepalived's garp_master_delay is 'announce: { repeatAfter }' here",
  garp_master_repeat: "keepalived's garp_master_repeat is 'announce: { burst }' here",
  garp_master_refresh: "keepalived's garp_master_refresh is 'announce: { refresh }' here",
  track_script: "keepalived's track_script is 'checks' here",
  track_process: "keepalived's track_process is a check with 'process' here",
  track_file: "keepalived's track_file is a check with 'file' and 'wants: number' here",
  track_interface: "keepalived's track_interface is a check with 'interface' here",
  notify: "keepalived's notify stands below 'hooks:' here",
  notify_master: "keepalived's notify_master is 'hooks: { onMaster }' here",
  notify_backup: "keepalived's notify_backup is 'hooks: { onBackup }' here",
  notify_fault: "keepalived's notify_fault is 'hooks: { onFault }' here",
  notify_stop: "keepalived's notify_stop is 'hooks: { onStop }' here",
  vrrp_script: "keepalived's vrrp_script is a name below 'checks:' here",
  script_user: "keepalived's script_user is 'user' of a check, of its 'recover:' or of 'hooks:' here",
  vrrp_startup_delay: "keepalived's vrrp_startup_delay is 'startupDelay' here",
  router_id: "keepalived's router_id is 'node' here",
  notification_email: "keepalived's notification_email is 'mail: { to }' here",
  smtp_server: "keepalived's smtp_server is 'mail: { host }' here",
  state: "leave it out: the store decides who is MASTER, 'priority' who acquires first",
  use_vmac: "keepalived's use_vmac is 'virtualMac' here: true, or { id: 51 }",
  virtual_server: "vipd runs ipvsadm by hooks: see docs/lvs.md",
  virtual_server_group: "vipd runs ipvsadm by hooks: see docs/lvs.md",
  real_server: "on the real server itself it is a name below 'realServers:'; see docs/lvs.md",
  vrrp_instance: "name the VIP below 'vips:'",
};

/** Words that mean something below vrrp: only: what they are there, and what a lease has for them. */
const OF_VRRP: Readonly<Record<string, readonly [here: string, lease?: string]>> = {
  advert_int: ["interval", "keepalived's advert_int is 'ttl' here, at the top: the lease of all VIPs"],
  virtual_router_id: ["id", "leave it out: the VIP's name identifies it in the fleet"],
  unicast_peer: ["unicastPeers", "leave it out: the nodes meet in the store"],
  auth_pass: ["authentication"],
  auth_type: ["authentication"],
  unicast_src_ip: ["source"],
  mcast_src_ip: ["source"],
};

/** What stands here for a word of keepalived; `isVrrp`: it was found below vrrp:. `undefined`: it is no such word. */
export function inWordsOfVipd(word: string, isVrrp: boolean): string | undefined {
  const [here, lease] = Object.hasOwn(OF_VRRP, word) ? (OF_VRRP[word] ?? []) : [];
  if (here === undefined) return Object.hasOwn(KEEPALIVED, word) ? KEEPALIVED[word] : undefined;
  if (isVrrp) return `keepalived's ${word} is '${here}' here`;
  if (lease !== undefined) return `${lease}; with election: vrrp it is '${here}' below vrrp:`;
  return `keepalived's ${word} is '${here}' below vrrp:, with election: vrrp`;
}

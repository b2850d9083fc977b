// The arrows of docs/design.md: who may import whom. Each rule has a file in test/tidy/canary that breaks it, and a test
// that this check sees it.

const root = process.env.VIPD_ARROWS_ROOT ?? "";
const at = (path) => `^${root}${path}`;

/** What each folder of src may import from the others. What is not here, bin, may import everything. */
const layers = {
  base: [],
  ports: ["base"],
  wire: ["base"],
  election: ["base", "ports"],
  vrrp: ["base", "ports", "wire"],
  health: ["base", "ports"],
  vip: ["base", "ports"],
  config: ["base", "ports", "wire", "health"],
  runtime: ["base", "ports", "wire", "election", "vrrp", "health", "vip", "config"],
  stores: ["base", "ports"],
  process: ["base", "ports"],
  net: ["base", "ports"],
  realserver: ["base", "ports", "wire", "runtime"],
  checks: ["base", "ports", "health", "config", "process", "net", "runtime"],
  hooks: ["base", "ports", "config", "process", "net", "runtime"],
  admin: ["base", "ports", "wire", "election", "vrrp", "health", "vip", "config"],
  node: [
    ...["base", "ports", "wire", "election", "vrrp", "health", "vip", "config", "runtime"],
    ...["realserver", "checks", "hooks", "admin"],
  ],
  library: ["base", "ports", "election", "config", "runtime", "stores"],
  cli: ["base", "ports", "wire", "election", "health", "config", "admin"],
};

/** No clock, socket, file or random number. */
const PURE = "(base|ports|wire|election|vrrp|health|vip|config)";

/** What is loaded of an adapter before a store is opened. */
const LIGHT = "adapters/([^/]+/(adapter|limits|url)|common/[^/]+)\\.ts$";

const forbidden = [
  {
    name: "no-cycles",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  ...Object.entries(layers).map(([folder, others]) => ({
    name: `layer-${folder}`,
    severity: "error",
    from: { path: at(`src/${folder}/`) },
    to: { path: at("src/"), pathNot: at(`src/(${[folder, ...others].join("|")})/`) },
  })),
  {
    name: "pure-folders-use-no-node",
    severity: "error",
    from: { path: at(`src/${PURE}/`) },
    to: { dependencyTypes: ["core"] },
  },
  {
    name: "pure-folders-use-few-packages",
    severity: "error",
    from: { path: at(`src/${PURE}/`) },
    to: { dependencyTypes: ["npm"], pathNot: "node_modules/(zod|yaml)/" },
  },
  {
    name: "only-bin-and-stores-load-adapters",
    severity: "error",
    from: { path: at("src/"), pathNot: at("src/(bin|stores)/") },
    to: { path: at("adapters/") },
  },
  {
    name: "stores-load-store-adapters-only",
    severity: "error",
    from: { path: at("src/stores/") },
    to: { path: at("adapters/"), pathNot: at("adapters/[^/]+/adapter\\.ts$") },
  },
  {
    name: "clients-are-loaded-when-a-store-is-opened",
    severity: "error",
    from: { path: at(LIGHT) },
    to: { path: at("adapters/"), pathNot: at(LIGHT), dynamic: false },
  },
  {
    name: "checking-a-url-needs-no-package",
    severity: "error",
    from: { path: at(LIGHT) },
    to: { path: "node_modules/" },
  },
  {
    name: "adapters-import-contracts-only",
    severity: "error",
    from: { path: at("adapters/") },
    to: { path: at("src/"), pathNot: at("src/(base|ports|wire)/") },
  },
  {
    name: "adapters-do-not-import-each-other",
    severity: "error",
    from: { path: at("adapters/([^/]+)/") },
    to: { path: at("adapters/"), pathNot: at("adapters/($1|common)/") },
  },
  {
    name: "one-native-bridge",
    severity: "error",
    from: { path: at("(src|adapters)/"), pathNot: at("adapters/linux/native(-spawn)?\\.ts$") },
    to: { path: "node_modules/koffi/" },
  },
  {
    name: "store-clients-live-in-adapters",
    severity: "error",
    from: { path: at("src/") },
    to: { path: "node_modules/(ioredis|etcd3|cockatiel)/" },
  },
  {
    name: "vipctl-never-loads-the-daemon",
    severity: "error",
    from: { path: at("src/bin/vipctl\\.ts$") },
    to: { path: at("src/node/"), reachable: true },
  },
  {
    name: "the-library-needs-no-kernel",
    severity: "error",
    from: { path: at("src/(index\\.ts$|library/)") },
    to: { path: at("adapters/linux/"), reachable: true },
  },
  {
    name: "the-library-needs-no-native-code",
    severity: "error",
    from: { path: at("src/(index\\.ts$|library/)") },
    to: { path: "node_modules/koffi/", reachable: true },
  },
  {
    name: "the-index-shows-the-library",
    severity: "error",
    from: { path: at("src/index\\.ts$") },
    to: { path: at("(adapters/|src/(?!base|ports|library|stores)[a-z]+/)") },
  },
  {
    name: "programs-do-not-import-tests",
    severity: "error",
    from: { path: at("(src|adapters)/") },
    to: { path: at("test/") },
  },
  {
    name: "nothing-is-there-for-tests-only",
    comment:
      "random.ts is what tests and simulations draw from, by the words of the pure parts; vrrp-worker.ts is a thread that is started by its file's name",
    severity: "error",
    from: { path: at("(src/(index\\.ts$|bin/)|adapters/linux/vrrp-worker\\.ts$)") },
    to: {
      path: at("(src|adapters)/"),
      pathNot: at("(src/(index\\.ts$|bin/|base/random\\.ts$)|adapters/linux/vrrp-worker\\.ts$)"),
      reachable: false,
    },
  },
];

export default {
  forbidden,
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};

// The arrows of docs/design.md: who may import whom. Each rule has a file in test/tidy/canary that breaks it, and a test
// that this check sees it.

const root = process.env.VIPD_ARROWS_ROOT ?? "";
const at = (path) => `^${root}${path}`;
const PURE = "(base|ports|wire|election|vip|health|config|vrrp)";

/** From each folder of src, the folders that it must not reach. */
const layers = [
  ["base", "(?!base)[a-z]+"],
  ["ports", "(?!base|ports)[a-z]+"],
  ["wire", "(?!base|wire)[a-z]+"],
  ["election", "(?!base|ports|election)[a-z]+"],
  ["vrrp", "(?!base|ports|wire|vrrp)[a-z]+"],
  ["health", "(?!base|ports|health)[a-z]+"],
  ["vip", "(?!base|ports|vip)[a-z]+"],
  ["config", "(?!base|ports|wire|config)[a-z]+"],
  ["runtime", "(?!base|ports|wire|election|vrrp|health|vip|config|runtime)[a-z]+"],
  ["node", "(library|cli|bin)"],
  ["probes", "(node|admin|library|cli|bin)"],
  ["admin", "(runtime|node|library|cli|bin)"],
  ["library", "(node|admin|probes|vip|vrrp|health|wire|cli|bin)"],
  ["cli", "(node|probes|vip|vrrp|bin)"],
];

const forbidden = [
  {
    name: "no-cycles",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  ...layers.map(([folder, others]) => ({
    name: `${folder}-knows-its-place`,
    severity: "error",
    from: { path: at(`src/${folder}/`) },
    to: { path: at(`src/${others}/`) },
  })),
  {
    name: "pure-is-pure",
    comment: "no clock, socket, file or random number in pure folders",
    severity: "error",
    from: { path: at(`src/${PURE}/`) },
    to: { dependencyTypes: ["core"] },
  },
  {
    name: "pure-needs-little",
    severity: "error",
    from: { path: at(`src/${PURE}/`) },
    to: { dependencyTypes: ["npm"], pathNot: "node_modules/(zod|yaml)/" },
  },
  {
    name: "adapters-are-loaded-by-bin-and-the-store-loader",
    severity: "error",
    from: { path: at("src/"), pathNot: [at("src/bin/"), at("src/library/stores\\.ts$")] },
    to: { path: at("adapters/") },
  },
  {
    name: "adapters-know-contracts-only",
    severity: "error",
    from: { path: at("adapters/") },
    to: { path: at("src/"), pathNot: at("src/(base|ports|wire)/") },
  },
  {
    name: "adapters-do-not-know-each-other",
    severity: "error",
    from: { path: at("adapters/([^/]+)/") },
    to: { path: at("adapters/"), pathNot: at("adapters/($1|common)/") },
  },
  {
    name: "one-native-bridge",
    severity: "error",
    from: { path: at("(src|adapters)/"), pathNot: at("adapters/linux/native\\.ts$") },
    to: { path: "node_modules/koffi/" },
  },
  {
    name: "clients-live-in-adapters",
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
    to: { path: at("(adapters/|src/(?!base|ports|library)[a-z]+/)") },
  },
  {
    name: "programs-do-not-know-tests",
    severity: "error",
    from: { path: at("(src|adapters)/") },
    to: { path: at("test/") },
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

// Shares the VIPs of a group out over the healthy nodes: weighted rendezvous hashing with a bound on each node's share.
//
// Every node computes the same answer from the same names, so nobody has to be asked. Each pair of a VIP and a node has a
// score (weight / -ln of a hash of both names: the greatest score of a VIP is on a node with a probability in proportion to
// its weight). All pairs are taken in the order of their scores; a VIP goes to the node of its best pair that has room left.
// That is the stable matching of VIPs and nodes, so a node that comes or goes moves its own VIPs, and otherwise only those
// that the bound had kept from, or now keeps from, the node they would rather be on. The bound is the share rounded up, so
// the shares are as equal as they can be, and two VIPs of two nodes are one each; measured, 1.0 to 1.4 times as many VIPs
// move as must. With one place more in each bound it would be 1.0 to 1.25 times, and shares that differ by 3 to 6.
//
// The hash: two lanes of 32-bit FNV-1a over the UTF-16 code units of a name, each with an offset basis of its own, then the
// 32-bit finalizer of MurmurHash3 over the lanes of both names; 52 bits of it are used. The logarithm is a series of the
// four basic operations, which IEEE 754 fixes to the last bit: Math.log may differ between engines, and two nodes must
// never differ.

/** A node that may hold VIPs of the group now. */
export interface SpreadNode {
  readonly node: string;
  /** Its share in proportion to the others'; greater than 0. */
  readonly weight: number;
}

/** The hash of one name, as two 32-bit lanes. */
type Hash = readonly [number, number];

interface Pair {
  readonly vip: string;
  readonly node: string;
  readonly score: number;
}

const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;
const SECOND_BASIS = 0x9e3779b9;
const SERIES_TERMS = 20;

/**
 * Which node shall hold each VIP; without nodes nobody holds any. No node gets more than its bound (`mostFor`). The order of
 * the arguments does not matter.
 */
export function spreadVips(vips: readonly string[], nodes: readonly SpreadNode[]): ReadonlyMap<string, string> {
  const room = new Map(nodes.map(({ node }) => [node, mostFor(node, vips.length, nodes)]));
  const assigned = new Map<string, string>();
  for (const { vip, node } of pairs(vips, nodes)) {
    const left = room.get(node) ?? 0;
    if (left === 0 || assigned.has(vip)) continue;
    room.set(node, left - 1);
    assigned.set(vip, node);
  }
  return assigned;
}

/** The most VIPs of `count` that a node may get: its share by weight, rounded up. */
export function mostFor(node: string, count: number, nodes: readonly SpreadNode[]): number {
  const total = nodes.reduce((sum, { weight }) => sum + weight, 0);
  const own = nodes.find((each) => each.node === node)?.weight ?? 0;
  return total > 0 ? Math.ceil((count * own) / total) : 0;
}

/** All pairs, best first; equal scores in the order of the names. */
function pairs(vips: readonly string[], nodes: readonly SpreadNode[]): readonly Pair[] {
  const hashed = nodes.map(({ node, weight }) => ({ node, weight, hash: hashOf(node) }));
  const all = vips.flatMap((vip) => {
    const hash = hashOf(vip);
    return hashed.map(({ node, weight, hash: other }) => ({
      vip,
      node,
      score: weight / negativeLog(unitInterval(hash, other)),
    }));
  });
  return all.sort((a, b) => b.score - a.score || order(a.vip, b.vip) || order(a.node, b.node));
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function hashOf(name: string): Hash {
  let a = FNV_BASIS;
  let b = SECOND_BASIS;
  for (let i = 0; i < name.length; i += 1) {
    const unit = name.charCodeAt(i);
    for (const byte of [unit & 0xff, unit >>> 8]) {
      a = Math.imul(a ^ byte, FNV_PRIME);
      b = Math.imul(b ^ byte, FNV_PRIME);
    }
  }
  return [finalized(a), finalized(b)];
}

/** MurmurHash3's fmix32: every bit of the input moves every bit of the result. */
function finalized(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in (0, 1), even over all pairs of names. The factors keep a VIP and a node of the same name from cancelling out. */
function unitInterval(first: Hash, second: Hash): number {
  const high = finalized(Math.imul(first[0], 5) ^ second[0] ^ finalized(first[1]));
  const low = finalized(Math.imul(first[1], 9) ^ second[1] ^ high);
  return ((high >>> 12) * 0x1_0000_0000 + low + 0.5) / 2 ** 52;
}

/** -ln(x) of an x in (0, 1): powers of two are taken out, the rest by ln x = -2 artanh((1 - x) / (1 + x)). */
function negativeLog(x: number): number {
  let mantissa = x;
  let halvings = 0;
  while (mantissa < 0.5) {
    mantissa *= 2;
    halvings += 1;
  }
  const z = (1 - mantissa) / (1 + mantissa);
  let power = z;
  let sum = 0;
  for (let term = 0; term < SERIES_TERMS; term += 1) {
    sum += power / (2 * term + 1);
    power *= z * z;
  }
  return halvings * Math.LN2 + 2 * sum;
}

// Where vipctl looks: the daemon of this host, else the store, and it says when it had to fall back.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { fleetView, statusView } from "../admin/views.ts";
import { adminError, CONFIG, Desk, GOOD_CONFIG, SOCKET, STORE } from "./desk.ts";

async function via(desk: Desk, ...where: readonly string[]): Promise<unknown> {
  const code = await desk.vipctl("who-owns", "web", "--json", ...where);
  return code === 0 ? (desk.out.json as { via: unknown }).via : code;
}

test("a daemon that is there is asked, and nothing is said about it", async () => {
  const desk = new Desk();
  desk.daemon();
  expect(await via(desk)).toBe("daemon");
  expect(desk.err.text).toBe("");
});

test.each(["absent", "denied", "silent"] as const)(
  "%s: the store of the default configuration is read, and it is said why",
  async (failure) => {
    const desk = new Desk();
    desk.files.set(CONFIG, GOOD_CONFIG);
    desk.daemon().failure = adminError(failure, `no luck at ${SOCKET}`);
    const fleet = desk.fleet();
    expect(await via(desk)).toBe("store");
    expect(desk.err.text).toBe(`no luck at ${SOCKET}: read straight from the store\n`);
    expect(fleet.closed).toBe(1);
  },
);

test.each(["refused", "broken"] as const)(
  "%s: a daemon that is there but ill is no reason to look elsewhere",
  async (failure) => {
    const desk = new Desk();
    desk.files.set(CONFIG, GOOD_CONFIG);
    desk.fleet();
    desk.daemon().failure = adminError(failure, "the daemon is ill");
    expect(await via(desk)).toBe(69);
    expect(desk.err.text).toBe("vipctl: the daemon is ill\n");
  },
);

test("no daemon and no configuration: exit 69, with both ways out", async () => {
  const desk = new Desk();
  expect(await via(desk)).toBe(69);
  expect(desk.err.text).toBe(
    `vipctl: no daemon listens at ${SOCKET}; name the store with --store, or a configuration with --config, to do without\n`,
  );
});

test("--socket alone never falls back to some other fleet's store", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.fleet();
  expect(await via(desk, "--socket", "/run/other.sock")).toBe(69);
  expect(desk.err.text).toContain("no daemon listens at /run/other.sock");
});

test("the default configuration's own socket is tried before its store", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, `${GOOD_CONFIG}admin: { socket: /run/elsewhere.sock }\n`);
  desk.fleet();
  desk.daemon("/run/elsewhere.sock");
  expect(await via(desk)).toBe("daemon");
});

test("--config names socket and store", async () => {
  const desk = new Desk();
  desk.files.set("/tmp/a.yaml", "store: sqlite:/tmp/a.db\nfleet: blue\nadmin: { socket: /tmp/a.sock }\nvips: {}\n");
  desk.fleet("sqlite:/tmp/a.db", "blue");
  desk.daemon();
  expect(await via(desk, "--config", "/tmp/a.yaml")).toBe("store");
  expect(desk.err.text).toContain("no daemon listens at /tmp/a.sock");
});

test("--store asks the store even where a daemon runs, and has nothing to explain", async () => {
  const desk = new Desk();
  desk.daemon();
  desk.fleet(STORE, "blue");
  expect(await via(desk, "--store", STORE, "--fleet", "blue")).toBe("store");
  expect(desk.err.text).toBe("");
});

test("a configuration with mistakes: exit 78, each mistake with its place", async () => {
  const desk = new Desk();
  desk.files.set("/tmp/bad.yaml", "store: sqlite:/tmp/a.db\nfleeet: blue\nttl: 3\nvips: {}\n");
  expect(await via(desk, "--config", "/tmp/bad.yaml")).toBe(78);
  expect(desk.err.lines).toHaveLength(3);
  expect(desk.err.text).toMatch(/bad\.yaml:2:1: fleeet.*fleet\?/u);
  expect(desk.err.lines.at(-1)).toBe("vipctl: 2 mistakes in /tmp/bad.yaml");
});

test("a configuration that is not there: 78 when it was asked for", async () => {
  const desk = new Desk();
  expect(await via(desk, "--config", "/tmp/none.yaml")).toBe(78);
  expect(desk.err.text).toBe("vipctl: cannot read /tmp/none.yaml: there is no such file; name another with --config\n");
});

test("neither the daemon nor the store can be asked: both are told", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.failure = adminError("denied", "no permission to use /run/vipd/vipd.sock: become root");
  desk.files.set(CONFIG, GOOD_CONFIG);
  expect(await desk.vipctl("status")).toBe(3);
  expect(desk.err.text).toBe(
    `vipctl: no permission to use /run/vipd/vipd.sock: become root; the store was asked instead: there is no store at ${STORE}\n`,
  );
});

test("a store that is not there: exit 3; a URL that is none: exit 78", async () => {
  const desk = new Desk();
  expect(await via(desk, "--store", STORE)).toBe(3);
  expect(desk.err.text).toBe(`vipctl: there is no store at ${STORE}\n`);
  const reader = desk.fleet();
  reader.read = () => Promise.reject(new VipdError("store-url", "names no known store"));
  expect(await via(desk, "--store", STORE)).toBe(78);
  expect(reader.closed, "closed also when it fails").toBe(1);
});

test.each(["redis://:secret@a:6379", "etcd://user:secret@a:2379", "redis://a:6379?password=secret"])(
  "a password in --store is refused, for ps shows it: %s",
  async (url) => {
    const desk = new Desk();
    const fleet = desk.fleet(url);
    expect(await desk.vipctl("status", "--store", url)).toBe(78);
    expect(desk.err.text).toContain("VIPD_STORE_PASSWORD");
    expect(desk.err.text).toContain("passwordFile");
    expect(desk.err.text).not.toContain("secret");
    expect(fleet.closed).toBe(0);
  },
);

test("a user without a password in --store is no secret", async () => {
  const desk = new Desk();
  desk.fleet("redis://reader@a:6379");
  expect(await via(desk, "--store", "redis://reader@a:6379")).toBe("store");
});

test("the first view is asked for once, and later ones are new", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  let asked = 0;
  daemon.status = () => {
    asked += 1;
    return Promise.resolve(statusView());
  };
  await desk.vipctl("status");
  expect(asked).toBe(1);
});

test("an interrupt while the daemon is asked: exit 130, and no word", async () => {
  const desk = new Desk();
  desk.daemon().failure = new VipdError("aborted", "interrupted");
  desk.interrupt.abort();
  expect(await desk.vipctl("status")).toBe(130);
  expect([desk.out.text, desk.err.text]).toEqual(["", ""]);
});

test("what nobody foresaw is a bug: exit 70; what the system refused: 74", async () => {
  const desk = new Desk();
  const reader = desk.fleet();
  reader.view = fleetView();
  reader.read = () => Promise.reject(new TypeError("x is not a function"));
  expect(await desk.vipctl("status", "--store", STORE)).toBe(70);
  reader.read = () => Promise.reject(Object.assign(new Error("EIO: i/o error"), { syscall: "read", errno: -5 }));
  expect(await desk.vipctl("status", "--store", STORE)).toBe(74);
});

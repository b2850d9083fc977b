// Checks and hooks in the configuration file: what they may say, and how each mistake is told.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { serviceOf } from "../../../src/config/build-checks.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { CONTEXT, mistakes, parse } from "./files.ts";

const file = (checks: string, vip = "checks: [nginx]", more = ""): string =>
  `store: sqlite:/s.db\n${more}checks:\n${checks.replaceAll(/^/gmu, "  ")}\nvips:\n  web:\n    interface: eth0\n    addresses: [10.0.0.10/24]\n    ${vip}\n`;

describe("a good check", () => {
  test("needs only what it looks at, and gets every default", () => {
    const config = parse(file("nginx: { http: http://127.0.0.1/healthz }"));
    expect(config.checks).toMatchObject([
      {
        name: "nginx",
        policy: { intervalMs: 2_000, timeoutMs: 2_000, rise: 1, fall: 2, initial: "pending", recover: null },
        options: { kind: "http", url: "http://127.0.0.1/healthz", statuses: [{ from: 200, to: 399 }], verify: true },
      },
    ]);
    expect(config.vips[0]?.checks).toEqual([{ check: "nginx", weight: null, reverse: false, numeric: false }]);
  });

  test.each([
    ["script: [/bin/true, -x, 3], user: nobody", { kind: "script", argv: ["/bin/true", "-x", "3"], user: "nobody" }],
    ["tcp: '[::1]:80', send: hi, expect: ho", { kind: "tcp", host: "::1", port: 80, send: "hi", expect: "ho" }],
    ["process: nginx, least: 2", { kind: "process", name: "nginx", pidfile: null, least: 2 }],
    ["process: /run/nginx.pid", { kind: "process", name: null, pidfile: "/run/nginx.pid", least: 1 }],
    ["file: /etc/down, wants: absent", { kind: "file", path: "/etc/down", wants: "absent" }],
    ["gateway: 10.0.0.1, via: eth0", { kind: "gateway", address: "10.0.0.1", interface: "eth0", waitMs: 1_000 }],
    ["interface: eth1, debounce: 2s", { kind: "interface", interface: "eth1", debounceMs: 2_000 }],
    [
      "http: https://h/, status: [200, 301-302]",
      {
        statuses: [
          { from: 200, to: 200 },
          { from: 301, to: 302 },
        ],
      },
    ],
  ])("%s", (lines, options) => {
    expect(parse(file(`nginx: { ${lines} }`)).checks[0]?.options).toMatchObject(options);
  });

  test("has a weight of its own, which a VIP may change", () => {
    const vip = "checks: [nginx, { check: load, weight: -20, reverse: true }]";
    const checks = "nginx: { tcp: 'h:80', weight: 10 }\nload: { file: /run/load, wants: number, weight: 1 }";
    expect(parse(file(checks, vip)).vips[0]?.checks).toEqual([
      { check: "nginx", weight: 10, reverse: false, numeric: false },
      { check: "load", weight: -20, reverse: true, numeric: true },
    ]);
  });

  test("has a recovery, named after the unit that it restarts", () => {
    const config = parse(
      file("nginx: { tcp: 'h:80', recover: { run: [systemctl, restart, nginx.service], wait: 5s } }"),
    );
    expect(config.checks[0]).toMatchObject({
      policy: { recover: { tries: 1, waitMs: 5_000, timeoutMs: 30_000 } },
      recover: { service: "nginx", argv: ["systemctl", "restart", "nginx.service"], user: null },
    });
  });
});

test.each([
  [["/usr/bin/systemctl", "--quiet", "reload", "nginx"], "nginx"],
  [["service", "haproxy", "restart"], "haproxy"],
  [["/etc/restart", "it"], "/etc/restart it"],
])("%s repairs %s", (argv, service) => {
  expect(serviceOf(argv)).toBe(service);
});

describe("a mistake is told with its place and what would be right", () => {
  test.each([
    ["fall: 0", "nginx: { tcp: 'h:80', fall: 0 }", "", /checks\.nginx\.fall: 0 is less than 1; use 1 to 1000/u],
    [
      "a URL without scheme",
      "nginx: { http: localhost/healthz }",
      "",
      /nginx\.http: .*write http:\/\/localhost\/healthz/u,
    ],
    [
      "a check that nobody uses",
      "nginx: { tcp: 'h:80' }\nspare: { tcp: 'h:81' }",
      "",
      /checks\.spare: is used by no VIP; name it/u,
    ],
    [
      "a check that is not there",
      "nginx: { tcp: 'h:80' }",
      "checks: [nginx, nginks]",
      /checks\[1\]: names no check.*did you mean nginx\?/u,
    ],
    ["a VIP that names none", "nginx: { tcp: 'h:80' }", "checks: []", /vips\.web\.checks: is an empty list; name/u],
    [
      "a check named twice",
      "nginx: { tcp: 'h:80' }",
      "checks: [nginx, nginx]",
      /checks\[1\]: nginx stands in this list already/u,
    ],
    [
      "a command as a text",
      "nginx: { script: 'curl -f localhost' }",
      "",
      /nginx\.script: .*write a list: \[curl, -f, localhost\]/u,
    ],
    ["a relative program", "nginx: { script: [bin/check] }", "", /nginx\.script: .*absolute path/u],
    [
      "nothing to look at",
      "nginx: { interval: 1s }",
      "",
      /checks\.nginx: looks at nothing; give it one of script, http/u,
    ],
    ["two things to look at", "nginx: { tcp: 'h:80', process: nginx }", "", /nginx\.process: stands beside tcp/u],
    ["a key of another kind", "nginx: { tcp: 'h:80', status: 200 }", "", /nginx\.status: belongs to a check of http:/u],
    ["a gateway on no interface", "nginx: { gateway: 10.0.0.1 }", "", /nginx\.via: is missing; name the interface/u],
    ["a port without a host", "nginx: { tcp: 80 }", "", /nginx\.tcp: .*write 127\.0\.0\.1:80/u],
    ["keepalived's words", "nginx: { tcp: 'h:80' }", "track_script: [nginx]", /track_script is 'checks' here/u],
    [
      "a bad weight",
      "nginx: { tcp: 'h:80' }",
      "checks: [{ check: nginx, weight: 300 }]",
      /checks\[0\]\.weight: 300 is more than 253/u,
    ],
    [
      "two recoveries of one service",
      "nginx: { tcp: 'h:80', recover: { run: [systemctl, restart, nginx] } }\nweb: { tcp: 'h:81', recover: { run: [systemctl, reload, nginx] } }",
      "checks: [nginx, web]",
      /checks\.web\.recover: repairs nginx, which checks\.nginx repairs by another command; let both/u,
    ],
    [
      "a hook as a text",
      "nginx: { tcp: 'h:80' }",
      "checks: [nginx]\n    hooks: { onMaster: /bin/true }",
      /hooks\.onMaster: .*\[\/bin\/true\]/u,
    ],
  ])("%s", (_, checks, vip, words) => {
    const told = mistakes(vip === "" ? file(checks) : file(checks, vip));
    expect(told.join("\n")).toMatch(words);
    expect(told.length > 0 && told.every((line) => /^vipd\.yaml:\d+:\d+: /u.test(line))).toBe(true);
  });

  test("a recovery that two checks share is none", () => {
    const recover = "recover: { run: [systemctl, restart, nginx] }";
    expect(
      mistakes(file(`nginx: { tcp: 'h:80', ${recover} }\nweb: { tcp: 'h:81', ${recover} }`, "checks: [nginx, web]")),
    ).toEqual([]);
  });
});

test("hooks of the node and of the VIP are run in this order; the webhook and mail name files for their secrets", () => {
  const more = `hooks: { notify: [/etc/all], arguments: keepalived }
webhook: { url: https://h/x, secretFile: /etc/key }
mail: { host: smtp, from: a@b, to: [c@d], user: u, passwordFile: /etc/pw }
`;
  const vip = "checks: [nginx]\n    hooks: { onMaster: [/etc/m], notify: [/etc/n], timeout: 5s, user: nobody }";
  const config = parse(file("nginx: { tcp: 'h:80' }", vip, more));
  expect(config.vips[0]?.hooks).toEqual([
    { on: "notify", argv: ["/etc/all"], user: null, graceMs: 1_000, timeoutMs: 30_000, arguments: "keepalived" },
    { on: "onMaster", argv: ["/etc/m"], user: "nobody", graceMs: 1_000, timeoutMs: 5_000, arguments: "vipd" },
    { on: "notify", argv: ["/etc/n"], user: "nobody", graceMs: 1_000, timeoutMs: 5_000, arguments: "vipd" },
  ]);
  expect(config.webhook).toMatchObject({ url: "https://h/x", secretFile: "/etc/key", deadlineMs: 300_000 });
  expect(config.mail).toMatchObject({
    port: 25,
    security: "starttls",
    user: "u",
    passwordFile: "/etc/pw",
    to: ["c@d"],
  });
});

test.each(["nginx-pair", "active-active", "lvs-director", "lvs-real-server"])(
  "docs/examples/%s.yaml has no mistakes",
  (name) => {
    expect(mistakes(readFileSync(`docs/examples/${name}.yaml`, "utf8"))).toEqual([]);
  },
);

test.each(["nginx-pair", "active-active"])(
  "docs/examples/%s.yaml runs no programs that people must write first",
  (name) => {
    const source = readFileSync(`docs/examples/${name}.yaml`, "utf8");
    const parsed = parseConfig(source, "vipd.yaml", CONTEXT);
    const programs =
      parsed.kind === "config" ? parsed.commands.map(({ argv: [program] }) => program) : ["none is known"];
    expect(new Set(programs)).toEqual(new Set(["systemctl"]));
  },
);

test("an election without address is for hooks; without them its addresses were forgotten", () => {
  const job = "store: sqlite:/s.db\nvips:\n  job: { priority: 150 }\n";
  expect(mistakes(job)).toEqual([expect.stringMatching(/vips\.job\.addresses: is missing; give a list/u)]);
  const { vips } = parse(`${job}hooks: { onMaster: [/bin/true] }\n`);
  expect(vips).toMatchObject([{ name: "job", addresses: [], priority: 150 }]);
  const withInterface = job.replace("priority: 150", "interface: eth0, hooks: { notify: [/bin/true] }");
  expect(mistakes(withInterface)).toHaveLength(1);
});

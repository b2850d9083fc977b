// systemd's notification protocol, with sockets of our own in its place.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AF_UNIX, bindSocket, closeFd, openSocket, receive, SOCK_DGRAM } from "../../adapters/linux/native.ts";
import { notifySystemd } from "../../adapters/linux/sd-notify.ts";

let folder = "";
const fds: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vd"));
});

afterEach(() => {
  for (const fd of fds.splice(0)) closeFd(fd);
  rmSync(folder, { recursive: true });
});

/** Listens at a name as it stands in sockaddr_un; gives what has come. */
function listen(name: string): () => string[] {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  fds.push(fd);
  bindSocket(fd, Buffer.concat([Uint8Array.of(AF_UNIX, 0), Buffer.from(name)]));
  const heard: string[] = [];
  return () => {
    const buffer = new Uint8Array(256);
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer))
      heard.push(Buffer.from(got.data).toString());
    return heard;
  };
}

describe("a notification", () => {
  it("reaches a socket by its path", () => {
    const path = join(folder, "notify");
    const heard = listen(path);
    expect(notifySystemd(path, "READY=1\nSTATUS=two VIPs")).toBe(true);
    expect(notifySystemd(path, "WATCHDOG=1")).toBe(true);
    expect(heard()).toEqual(["READY=1\nSTATUS=two VIPs", "WATCHDOG=1"]);
  });

  it("reaches an abstract socket", () => {
    const name = `vd${randomBytes(4).toString("hex")}`;
    const heard = listen(`\0${name}`);
    expect(notifySystemd(`@${name}`, "READY=1")).toBe(true);
    expect(heard()).toEqual(["READY=1"]);
  });

  it("is not sent where nobody listens by contract", () => {
    expect(notifySystemd(undefined, "READY=1")).toBe(false);
    expect(notifySystemd("", "READY=1")).toBe(false);
  });

  it("that nobody takes is an error with the call and the errno", () => {
    expect(() => notifySystemd(join(folder, "nobody"), "READY=1")).toThrow(
      expect.objectContaining({ code: "kernel", context: expect.objectContaining({ call: "sendto", name: "ENOENT" }) }),
    );
  });

  it.each(["vsock:2:1234", "relative/path", `/${"x".repeat(108)}`])("to %s is refused: no unix socket", (path) => {
    expect(() => notifySystemd(path, "READY=1")).toThrow(expect.objectContaining({ code: "kernel" }));
  });

  it("takes the longest path that there is", () => {
    const path = join(folder, "n".repeat(107 - folder.length - 1));
    const heard = listen(path);
    expect(notifySystemd(path, "READY=1")).toBe(true);
    expect(heard()).toEqual(["READY=1"]);
  });
});

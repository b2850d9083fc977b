// A registry of npm with the packages of node_modules, on the loopback interface: what is installed in a test comes from
// here, and nothing leaves this machine.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** A running registry. */
export class Registry {
  readonly url: string;
  private readonly server: Server;
  private readonly folders: ReadonlyMap<string, string>;

  private constructor(server: Server, folders: ReadonlyMap<string, string>) {
    this.server = server;
    this.folders = folders;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => this.answer(request, response));
  }

  /** Serves what is below the directory `node_modules`. */
  static async open(packages: string): Promise<Registry> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Registry(server, packagesBelow(realpathSync(packages)));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** `/name` is a package's document, `/-/name@version` its tarball. */
  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(request.url?.slice(1) ?? "");
    if (path.startsWith("-/")) this.sendTarball(path.slice(2), response);
    else this.sendDocument(path, response);
  }

  private sendDocument(name: string, response: ServerResponse): void {
    const manifests = [...this.folders].filter(([id]) => id.startsWith(`${name}@`)).map(([, dir]) => readManifest(dir));
    const versions = manifests.map((manifest) => [
      manifest.version,
      { ...manifest, dist: { tarball: `${this.url}-/${encodeURIComponent(`${name}@${manifest.version}`)}` } },
    ]);
    const latest = manifests[0]?.version;
    response.writeHead(latest === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ name, "dist-tags": { latest }, versions: Object.fromEntries(versions) }));
  }

  private sendTarball(id: string, response: ServerResponse): void {
    const folder = this.folders.get(id);
    if (folder === undefined) {
      response.writeHead(404).end();
      return;
    }
    const rename = ["--transform", "s,^\\.,package,", "--exclude", "./node_modules"];
    const tar = spawn("tar", ["-C", folder, ...rename, "-I", "gzip -1", "-c", "."], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    tar.stdout.pipe(response);
  }
}

/** Folders of packages by `name@version`, at any depth. */
function packagesBelow(packages: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(packages, { recursive: true, encoding: "utf8" })) {
    if (!/(?:^|node_modules\/)(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/u.test(entry)) continue;
    const folder = join(packages, entry, "..");
    const { name, version } = readManifest(folder);
    found.set(`${name}@${version}`, folder);
  }
  return found;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

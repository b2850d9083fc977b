// A disk of its own for a server, which can be made to hang: what is written to it waits until it is thawed (fsfreeze(8)).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../linux/namespaces.ts";

const SIZE = "400M";

/** A file system in a file, mounted over a directory; only as root. */
export class Disk {
  private readonly directory: string;
  private readonly home = mkdtempSync(join(tmpdir(), "vdd-"));
  private frozen = false;

  constructor(directory: string) {
    this.directory = directory;
    const image = join(this.home, "image");
    run("truncate", "-s", SIZE, image);
    run("mkfs.ext4", "-q", "-E", "nodiscard", image);
    run("mount", "-o", "loop", image, directory);
  }

  freeze(): void {
    run("fsfreeze", "--freeze", this.directory);
    this.frozen = true;
  }

  thaw(): void {
    if (!this.frozen) return;
    run("fsfreeze", "--unfreeze", this.directory);
    this.frozen = false;
  }

  /** Only when nobody uses it any more. */
  close(): void {
    this.thaw();
    run("umount", this.directory);
    rmSync(this.home, { recursive: true, force: true });
  }
}

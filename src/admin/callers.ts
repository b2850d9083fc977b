// Who is connected to the admin socket, and how many they may be. Some slots are root's and the daemon's own user's: other
// members of the socket's group cannot lock them out.

import type { Server, Socket } from "node:net";
import { ADMIN_SLOTS_OF_ROOT, MAX_ADMIN_CONNECTIONS, MAX_ADMIN_WATCHES } from "../base/bounds.ts";

/** Who asks, by the kernel's word (SO_PEERCRED). */
export interface Caller {
  readonly uid: number;
  readonly pid: number;
}

/** Asks the kernel who is at the other end of a connected unix socket. */
export type PeerOf = (fd: number) => Caller;

/** Counts connections and watches. */
export class Callers {
  private readonly peerOf: PeerOf | undefined;
  private readonly ownUid: number;
  private readonly callers = new Map<Socket, Caller | null>();
  private readonly watching = new Set<Socket>();

  constructor(peerOf: PeerOf | undefined, ownUid: number) {
    this.peerOf = peerOf;
    this.ownUid = ownUid;
  }

  /** Follows the connections of a server, and hangs up on those that are too many. */
  follow(server: Server): void {
    server.maxConnections = MAX_ADMIN_CONNECTIONS + ADMIN_SLOTS_OF_ROOT;
    server.on("connection", (socket: Socket) => {
      const caller = this.identify(socket);
      if (this.callers.size >= MAX_ADMIN_CONNECTIONS + this.extraFor(caller)) {
        socket.destroy();
        return;
      }
      this.callers.set(socket, caller);
      socket.once("close", () => {
        this.callers.delete(socket);
        this.watching.delete(socket);
      });
    });
  }

  /** Who is at the other end; `null`: the kernel did not say. */
  of(socket: Socket): Caller | null {
    return this.callers.get(socket) ?? null;
  }

  /** Takes a place among the watches until the connection ends; false when there is none. */
  mayWatch(socket: Socket): boolean {
    if (this.watching.size >= MAX_ADMIN_WATCHES + this.extraFor(this.of(socket))) return false;
    this.watching.add(socket);
    return true;
  }

  private extraFor(caller: Caller | null): number {
    return caller !== null && (caller.uid === 0 || caller.uid === this.ownUid) ? ADMIN_SLOTS_OF_ROOT : 0;
  }

  private identify(socket: Socket): Caller | null {
    // Node has no public way to the descriptor of a connected socket.
    const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
    if (this.peerOf === undefined || handle?.fd === undefined || handle.fd < 0) return null;
    try {
      return this.peerOf(handle.fd);
    } catch {
      // The limits for everybody hold then, and the log has no name.
      return null;
    }
  }
}

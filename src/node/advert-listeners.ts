// What arrives for the virtual routers of this host. Routers of one interface, family and way share a socket; each is told
// of its own adverts only, those that are well formed and authentic.

import { createHmac } from "node:crypto";
import type { VrrpAuthentication, VrrpReceived } from "../base/vrrp.ts";
import type { Clock } from "../ports/clock.ts";
import type { AdvertReceiver, OnReceived, AdvertSource } from "../ports/vrrp.ts";
import type { VrrpEvent } from "../vrrp/state.ts";
import { formatIp } from "../wire/ip.ts";
import { decodeReceived } from "../wire/vrrp.ts";
import { authenticate, type ReplayMarks } from "../wire/vrrp-auth.ts";

/** Opens a socket for adverts; throws as src/ports/vrrp.ts says. */
export type OpenReceiver = (source: AdvertSource, onReceived: OnReceived) => AdvertReceiver;

/** What listeners work with. */
export interface AdvertListenersDeps {
  readonly clock: Clock;
  readonly openReceiver: OpenReceiver;
}

/** Told of what arrives for one virtual router. */
export interface Listener {
  readonly vrid: number;
  readonly authentication: VrrpAuthentication;
  readonly onHeard: (event: Extract<VrrpEvent, { type: "advert" | "refused" }>) => void;
}

/** The source of one virtual router. */
export interface Hearing {
  /** Hands in now what has arrived. */
  drain(): void;
  close(): void;
}

interface Socket {
  readonly receiver: AdvertReceiver;
  readonly members: Map<number, Member>;
}

interface Member {
  readonly listener: Listener;
  replays: ReplayMarks;
}

/** All listeners of this host. */
export class AdvertListeners {
  private readonly deps: AdvertListenersDeps;
  private readonly sockets = new Map<string, Socket>();

  constructor(deps: AdvertListenersDeps) {
    this.deps = deps;
  }

  /** Begins to listen. Throws what opening a socket throws. */
  open(source: AdvertSource, listener: Listener): Hearing {
    const key = `${source.interface} ${source.family} ${source.unicast ?? "group"}`;
    const socket = this.sockets.get(key) ?? this.openSocket(key, source);
    const member: Member = { listener, replays: new Map() };
    socket.members.set(listener.vrid, member);
    return {
      drain: () => socket.receiver.drain(),
      close: () => {
        if (socket.members.get(listener.vrid) !== member) return;
        socket.members.delete(listener.vrid);
        if (socket.members.size > 0) return;
        this.sockets.delete(key);
        socket.receiver.close();
      },
    };
  }

  private openSocket(key: string, source: AdvertSource): Socket {
    const members = new Map<number, Member>();
    const receiver = this.deps.openReceiver(source, (received) =>
      this.receive(received, members, source.unicast === null),
    );
    const socket = { receiver, members };
    this.sockets.set(key, socket);
    return socket;
  }

  private receive(received: VrrpReceived, members: ReadonlyMap<number, Member>, multicast: boolean): void {
    const { from, ...result } = decodeReceived(received);
    const vrid = result.kind === "message" ? result.message.vrid : result.vrid;
    const member = vrid === undefined ? undefined : members.get(vrid);
    if (member === undefined || from === undefined) return;
    const { listener } = member;
    const source = formatIp(from.source);
    if (result.kind === "rejected") return listener.onHeard({ type: "refused", fault: result.fault, source });
    const check = { hmac, wallMs: this.deps.clock.wallMs(), replays: member.replays };
    const verdict = authenticate(result.message, from.source, listener.authentication, check);
    if (verdict.kind === "rejected") return listener.onHeard({ type: "refused", fault: verdict.fault, source });
    member.replays = verdict.replays;
    listener.onHeard({ type: "advert", advert: result.message, source, multicast });
  }
}

function hmac(key: Uint8Array, text: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}

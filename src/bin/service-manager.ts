// What systemd is told: ready, alive, what is held, reloading, stopping (sd_notify(3), Type=notify-reload).

/** Sends one message to the service manager, when there is one. */
export type Notify = (socketPath: string | undefined, text: string) => boolean;

/** Speaks to the service manager that the environment names; to nobody when it names none. */
export class ServiceManager {
  private readonly socketPath: string | undefined;
  private readonly notify: Notify;
  private readonly watchdogMs: number;
  private shown = "";

  constructor(env: Readonly<Record<string, string | undefined>>, notify: Notify) {
    this.socketPath = env["NOTIFY_SOCKET"];
    this.notify = notify;
    const ours = env["WATCHDOG_PID"] === undefined || env["WATCHDOG_PID"] === String(process.pid);
    this.watchdogMs = ours ? Number(env["WATCHDOG_USEC"] ?? 0) / 1_000 : 0;
  }

  /** The service is up; from now on its summary is shown, and a frozen event loop is noticed. */
  ready(summary: () => string, onChange: (listener: () => void) => void): void {
    if (this.socketPath === undefined) return;
    this.send("READY=1");
    const show = (): void => {
      const text = summary();
      if (text !== this.shown && this.send(`STATUS=${text}`)) this.shown = text;
    };
    show();
    onChange(show);
    if (this.watchdogMs > 0) setInterval(() => this.send("WATCHDOG=1"), this.watchdogMs / 3).unref();
  }

  reloading(): void {
    this.send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
  }

  reloaded(): void {
    this.send("READY=1");
  }

  stopping(): void {
    this.send("STOPPING=1");
  }

  /** A service manager that cannot be told, its queue being full, is no reason to let a VIP go. False then. */
  private send(text: string): boolean {
    try {
      return this.notify(this.socketPath, text);
    } catch {
      return false;
    }
  }
}

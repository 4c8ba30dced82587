import * as Effect from "effect/Effect"
import { type BrowserContextOptions, chromium } from "playwright-core"

/** A page of a browser with a profile of its own, which playwright throws away; closed with the scope. */
export const openPage = (executablePath: string, options: BrowserContextOptions = {}) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({
        executablePath,
        headless: true,
        args: [
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync"
        ]
      })
    ),
    (browser) => Effect.promise(() => browser.close())
  ).pipe(Effect.flatMap((browser) => Effect.promise(() => browser.newPage(options))))

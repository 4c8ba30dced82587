/** Who calls, from `jwtVerify` of jose with a remote key set, which it keeps; it remembers no tokens. */
import { createRemoteJWKSet, jwtVerify } from "jose"
import { cpuPerOperation } from "../CpuPerOperation.ts"
import { serveRounds } from "../Worker.ts"
import { resource, startIssuer } from "./Issuer.ts"

serveRounds(async ({ milliseconds, share }) => {
  const { issuer, keysUrl, newToken, seenToken } = await startIssuer(share)
  const keys = createRemoteJWKSet(new URL(keysUrl))
  const repeat = (token: () => string) => async (count: number) => {
    for (let done = 0; done < count; done++) {
      const { payload } = await jwtVerify(token(), keys, {
        issuer,
        audience: resource,
        typ: "at+jwt",
        requiredClaims: ["sub", "exp"]
      })
      if (payload.sub === undefined) throw new Error("Nobody was found")
    }
  }
  await repeat(newToken)(10)
  return async () => ({
    seen: (
      await cpuPerOperation(
        repeat(() => seenToken),
        { batch: 100, milliseconds }
      )
    ).cpu,
    new: (await cpuPerOperation(repeat(newToken), { batch: 100, milliseconds })).cpu
  })
})

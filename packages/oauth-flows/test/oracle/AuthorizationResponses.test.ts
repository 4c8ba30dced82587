import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Oracle from "./Oracle.ts"
import { issuer } from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

interface Callback {
  /** Whether the metadata promises `iss` (RFC 9207 §3). */
  readonly promisesIssuer: boolean
  readonly parameters: (state: string) => Array<[name: string, value: string]>
}

const theCode = accepted({ code: "c" })

const rows: ReadonlyArray<Row<Callback>> = [
  [
    "a genuine response",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    theCode
  ],
  [
    "no iss although it is promised",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state]
      ]
    },
    refused
  ],
  [
    "no iss where it is not promised",
    {
      promisesIssuer: false,
      parameters: (state) => [
        ["code", "c"],
        ["state", state]
      ]
    },
    theCode
  ],
  [
    "iss where it is not promised",
    {
      promisesIssuer: false,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    theCode
  ],
  [
    "another iss",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", "https://evil.example.com"]
      ]
    },
    refused
  ],
  [
    "another iss where it is not promised",
    {
      promisesIssuer: false,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", "https://evil.example.com"]
      ]
    },
    refused
  ],
  [
    "iss with a slash at the end",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", `${issuer}/`]
      ]
    },
    refused
  ],
  [
    "iss in capitals",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", issuer.toUpperCase()]
      ]
    },
    refused
  ],
  [
    "an empty iss",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", ""]
      ]
    },
    refused
  ],
  [
    "iss twice",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["iss", issuer],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "no state",
    {
      promisesIssuer: true,
      parameters: () => [
        ["code", "c"],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "an empty state",
    {
      promisesIssuer: true,
      parameters: () => [
        ["code", "c"],
        ["state", ""],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "another state",
    {
      promisesIssuer: true,
      parameters: () => [
        ["code", "c"],
        ["state", "x"],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "a state that is cut off",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state.slice(0, -1)],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "state twice",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["state", state],
        ["state", state],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "no code",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["state", state],
        ["iss", issuer]
      ]
    },
    {
      ours: refused,
      oracle: accepted(),
      because: "There is nothing to exchange; oauth4webapi says so one step later"
    }
  ],
  [
    "an empty code",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", ""],
        ["state", state],
        ["iss", issuer]
      ]
    },
    accepted({ code: "" })
  ],
  [
    "code twice",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["code", "c"],
        ["code", "d"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    { ours: refused, oracle: theCode, because: "No parameter may stand there twice (RFC 6749 §3.1)" }
  ],
  [
    "an error",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["error", "access_denied"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "an error and a code",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["error", "access_denied"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    refused
  ],
  [
    "an empty error and a code",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["error", ""],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    { ours: refused, oracle: theCode, because: "An answer that says both is not trusted" }
  ],
  [
    "a response parameter (JARM)",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["response", "a.b.c"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    {
      ours: theCode,
      oracle: refused,
      because:
        "JARM was not asked for; the parameter is unknown and ignored (RFC 6749 §4.1.2), and `state` and `iss` are checked all the same"
    }
  ],
  [
    "an id_token",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["id_token", "a.b.c"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    {
      ours: theCode,
      oracle: refused,
      because: "The hybrid flow was not asked for; the parameter is unknown and ignored (RFC 6749 §4.1.2)"
    }
  ],
  [
    "an access token",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["access_token", "a"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    theCode
  ],
  [
    "a parameter that nobody knows",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["x", "1"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    theCode
  ],
  [
    "a parameter that nobody knows, twice",
    {
      promisesIssuer: true,
      parameters: (state) => [
        ["x", "1"],
        ["x", "2"],
        ["code", "c"],
        ["state", state],
        ["iss", issuer]
      ]
    },
    { ours: refused, oracle: theCode, because: "No parameter may stand there twice (RFC 6749 §3.1)" }
  ]
]

describe("authorization responses, as oauth4webapi checks them", () => {
  it.effect.each(rows)(
    "an authorization response is judged as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const { ours, parameters, state } = yield* OurFlows.judgeCallback(
          (state) => new URLSearchParams(input.parameters(state)),
          input.promisesIssuer
        )
        const oracle = yield* Oracle.judgeCallback(parameters, state, input.promisesIssuer)
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )
})

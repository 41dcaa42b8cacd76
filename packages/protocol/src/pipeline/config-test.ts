import * as z from 'zod/mini';

const fact = z.string().check(z.minLength(1), z.maxLength(256));

/** What happens to a connection in the end. */
export const verdicts = ['proxy', 'direct', 'reject', 'dns'] as const;

/** What the connection of a test has to meet; everything that is given must hold. */
export const configTestExpectSchema = z.strictObject({
  /** Its place in `route.rules`, `final` for none of them, or a text that is found in the rule: a rule-set, a domain. */
  rule: z.optional(z.union([z.int().check(z.minimum(0)), fact])),
  /** A group on the way. */
  group: z.optional(fact),
  /** What the rule names, or the only outbound that may carry it. */
  outbound: z.optional(fact),
  verdict: z.optional(z.enum(verdicts)),
});

/** A connection and where it must go. */
export const configTestSchema = z.strictObject({
  name: z.string().check(z.minLength(1), z.maxLength(128)),
  /** `example.com:443`, `192.0.2.1:53` or `[2001:db8::1]:443`; without a port it is 443. */
  destination: z.string().check(z.minLength(1), z.maxLength(300)),
  network: z.optional(z.enum(['tcp', 'udp'])),
  /** The address that the connection comes from. */
  source: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  /** The tag of the inbound. */
  inbound: z.optional(z.string().check(z.minLength(1), z.maxLength(128))),
  /** What sniffing finds; by default what is usual at the port. Empty: nothing. */
  protocol: z.optional(z.string().check(z.maxLength(32))),
  /** What the destination resolves to. */
  addresses: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(32))),
  /** The mode of the control API. */
  mode: z.optional(fact),
  expect: configTestExpectSchema.check(
    z.refine((expect) => Object.keys(expect).length > 0, 'must expect a rule, a group, an outbound or a verdict'),
  ),
});

export type ConfigTest = z.output<typeof configTestSchema>;
export type ConfigTestExpect = z.output<typeof configTestExpectSchema>;

/** What an application can do wrong with a domain. */

/** The domain was closed or abandoned, so nothing can be published or subscribed to through it. */
export class DomainClosedError extends Error {
  override readonly name = "DomainClosedError";
  constructor() {
    super("the domain was closed");
  }
}

/** The service was unpublished. */
export class ServiceUnpublishedError extends Error {
  override readonly name = "ServiceUnpublishedError";
  constructor(readonly serviceId: bigint) {
    super(`service 0x${serviceId.toString(16)} was unpublished`);
  }
}

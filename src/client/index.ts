/**
 * The client library (libpaf-client.md): attaches to a domain by name or by its servers, and keeps what is published and
 * subscribed to true while servers come and go.
 */

export { type Filter, FilterSyntaxError } from "../core/filter/syntax.js";
export type { Logger } from "../core/log.js";
export type { Properties, PropertyValue } from "../core/properties.js";
export { type TlsFiles, TransportError } from "../transport/transport.js";
export { type AttachOptions, attach, type DomainName } from "./attach.js";
export type { CloseOptions, Domain, DomainSubscription, MatchesOptions } from "./domain.js";
export { DomainClosedError, ServiceUnpublishedError } from "./errors.js";
export * from "./filter-expression.js";
export type { LinkState } from "./link-owner.js";
export type { DomainMatch } from "./match-merge.js";
export type { PublishedService } from "./published-service.js";
export type { ServerConfig } from "./server-config.js";
export { SERVER_LIMITS, ServerLimitError, type ServerLimits } from "./server-limits.js";
export { type PropertiesInput, ServiceTooLargeError, type Value } from "./service-properties.js";
export * from "./session.js";

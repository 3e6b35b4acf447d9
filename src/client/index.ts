/**
 * The client library (libpaf-client.md): attaches to a domain by name or by its servers, and keeps what is published and
 * subscribed to true while servers come and go.
 */

export type { Match, Service, ServiceState } from "../core/directory-access.js";
export type { FailReason } from "../core/fail-reason.js";
export { type Comparison, type Filter, FilterSyntaxError } from "../core/filter/syntax.js";
export type { Properties, PropertyValue } from "../core/properties.js";
export { type DnsAlgorithm, type TlsFiles, TransportError } from "../transport/transport.js";
export type { Logger } from "./application-log.js";
export { type AttachOptions, attach, type DomainName } from "./attach.js";
export type {
  CloseOptions,
  Domain,
  DomainCallbacks,
  DomainSubscription,
  MatchesOptions,
  PublishOptions,
  WaitOptions,
} from "./domain.js";
export { DomainFileError } from "./domain-file.js";
export {
  type DomainMatch,
  type JsonMatch,
  type JsonProperties,
  jsonProperties,
  type MatchedService,
  type ServiceGone,
  type ServicePresent,
} from "./domain-match.js";
export type { Environment } from "./environment.js";
export { DomainClosedError, ServiceUnpublishedError } from "./errors.js";
export {
  and,
  equal,
  FilterExpression,
  type FilterInteger,
  type FilterOperand,
  FilterTooLargeError,
  filter,
  greater,
  less,
  not,
  or,
  present,
  substring,
} from "./filter-expression.js";
export type { LinkState, Refusal } from "./link-owner.js";
export type { LinkPhase } from "./link-states.js";
export type { PublishedService, ServerPublication } from "./published-service.js";
export type { ServerConfig } from "./server-config.js";
export { SERVER_LIMITS, ServerLimitError, type ServerLimits } from "./server-limits.js";
export { type PropertiesInput, ServiceTooLargeError, type Value } from "./service-properties.js";
export { type ServiceView, WatchEndedError } from "./service-view.js";
export * from "./session.js";

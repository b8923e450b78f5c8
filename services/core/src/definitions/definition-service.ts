/**
 * Definitions of projections and pipelines: core keeps what the query service has checked, as system events of the tenant whose they are, and answers once they are
 * durable.
 *
 * A change names the position of the last change that its author knew of. One change at a time: that position, and the number of definitions, must still be true when
 * the change is written. So of two changes made at once one is refused, and none overwrites what its author has not seen. A crash between the append and the
 * answer leaves a change that is in force; the same change repeated is refused with the position at which it is.
 */
import { problem } from '@allsource/shared/errors';
import { type Position, projectionNameFault, quoted } from '@allsource/shared/model';
import type { DefinitionKind, Frame } from '@allsource/shared/protocol';
import type { SystemAppender, SystemEventDraft } from '../append/append-port.ts';
import type { DefinitionFold, DefinitionName } from './definition-fold.ts';

export interface DefinitionServiceOptions {
  readonly fold: DefinitionFold;
  readonly appender: SystemAppender;
  readonly hasTenant: (tenantId: string) => boolean;
  /** True when clients have saved states of their own under the name of a projection. */
  readonly hasSavedStates: (tenant: string, name: string) => boolean;
  /** How many of each kind a tenant may have. */
  readonly countMax: Readonly<Record<DefinitionKind, number>>;
}

const LIMIT_SETTINGS: Readonly<Record<DefinitionKind, string>> = {
  projection: 'ALLSOURCE_PROJECTIONS_MAX',
  pipeline: 'ALLSOURCE_PIPELINES_MAX',
};

export class DefinitionService {
  readonly #options: DefinitionServiceOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DefinitionServiceOptions) {
    this.#options = options;
  }

  /**
   * Sets the document of a definition, JSON text of an object. Resolves with the position of the change. Throws `definition_conflict`, `too_many_definitions`,
   * `definition_exists` for a name under which clients keep states, or `tenant_not_found`.
   */
  set(of: DefinitionName, text: string, expectedPosition: number): Promise<Position> {
    return this.#inTurn(of, expectedPosition, (isThere) => {
      if (!isThere) this.#requireRoom(of);
      if (!isThere) this.#requireFree(of);
      const { kind, name } = of;
      const names = JSON.stringify({ kind, name }).slice(0, -1);
      const payload = { kind, name, document: null };
      return {
        entity: entityOf(of),
        event: { type: '_system.definition.set', payload },
        // The text goes into the log as it came: printing what was parsed would change its numbers.
        payloadText: `${names},"document":${text}}`,
      };
    });
  }

  /** Removes a definition. Resolves with the position of the change. Throws `definition_conflict` or `not_found`. */
  remove(of: DefinitionName, expectedPosition: number): Promise<Position> {
    return this.#inTurn(of, expectedPosition, (isThere) => {
      const { kind, name } = of;
      if (!isThere) throw problem('not_found', `There is no ${kind} ${quoted(name)}.`);
      const event = { type: '_system.definition.removed', payload: { kind, name } } as const;
      return { entity: entityOf(of), event };
    });
  }

  #requireRoom({ tenant, kind }: DefinitionName): void {
    const { fold, countMax } = this.#options;
    const limit = countMax[kind];
    const count = fold.count(tenant, kind);
    if (count < limit) return;
    throw problem(
      'too_many_definitions',
      `The tenant has ${count} ${kind}s, and may have ${limit} (${LIMIT_SETTINGS[kind]}). Delete one first.`,
      { limit, count },
    );
  }

  #requireFree({ tenant, kind, name }: DefinitionName): void {
    if (kind !== 'projection' || !this.#options.hasSavedStates(tenant, name)) return;
    throw problem(
      'definition_exists',
      `Clients keep states of their own under the name ${quoted(name)}, which a projection would hide. Choose another name.`,
    );
  }

  #inTurn(
    of: DefinitionName,
    expectedPosition: number,
    draftOf: (isThere: boolean) => SystemEventDraft,
  ): Promise<Position> {
    const change = async () => {
      this.#requireNames(of);
      const changedPosition = this.#options.fold.changedPosition(of);
      if (changedPosition !== expectedPosition) throw conflict(of, changedPosition);
      const draft = draftOf(changedPosition > 0);
      const frame: Frame = await this.#options.appender.appendSystem(of.tenant, [draft]);
      return frame.lastPosition;
    };
    const run = this.#turn.then(change, change);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  #requireNames({ tenant, name }: DefinitionName): void {
    if (!this.#options.hasTenant(tenant))
      throw problem('tenant_not_found', `There is no tenant ${quoted(tenant)}.`);
    const fault = projectionNameFault(name);
    if (fault !== null) throw problem('invalid_parameter', fault, { parameter: 'name' });
  }
}

function conflict({ kind, name }: DefinitionName, changedPosition: Position): Error {
  const found =
    changedPosition === 0
      ? `There is no ${kind} ${quoted(name)} any more.`
      : `The ${kind} ${quoted(name)} was changed at position ${changedPosition} meanwhile.`;
  return problem('definition_conflict', `${found} Look at it again, then decide again.`, {
    changed_position: changedPosition,
  });
}

function entityOf({ kind, name }: DefinitionName): string {
  return `${kind}:${name}`;
}

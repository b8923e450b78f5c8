import { LIMITS } from '@allsource/shared/limits';

/** A payload cannot be brought into another form. */
export class UpcastFault extends Error {
  override readonly name = 'UpcastFault';
}

/** What the mappings of one payload may still do, whatever its author and theirs made up together. */
export class MappingRun {
  #placesLeft: number;
  #growthLeft = LIMITS.upcastGrowthBytesMax;

  /** A run over a payload of so many characters. */
  constructor(length: number) {
    this.#placesLeft = LIMITS.upcastPlacesBase + length / 4;
  }

  /** Says that so many places are looked at. Throws an {@link UpcastFault} when there are too many. */
  look(places: number): void {
    this.#placesLeft -= places;
    if (this.#placesLeft < 0)
      throw new UpcastFault('the mappings look at more places than a payload of this size allows');
  }

  /** Says that the payload grows by so many characters. Throws an {@link UpcastFault} when it grows too much. */
  grow(length: number): void {
    this.#growthLeft -= length;
    if (this.#growthLeft < 0)
      throw new UpcastFault(
        `the mappings add more than ${LIMITS.upcastGrowthBytesMax} bytes to the payload`,
      );
  }
}

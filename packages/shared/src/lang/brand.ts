declare const brandKey: unique symbol;

/** A number or string that only a named function may create, so that two kinds never mix. */
export type Brand<Base, Name extends string> = Base & { readonly [brandKey]: Name };

import { expect, describe, test } from '@jest/globals';
import fc from 'fast-check';
import { dependantsOf, findHolder, orderUnits } from './unit-order.ts';

const unit = (name: string, ...depends_on: string[]) => ({ name, depends_on });
const namesOf = (units: readonly { name: string }[]): string[] => units.map(({ name }) => name);

/** Up to 12 units; each may depend on those with a smaller number, and they are listed in any order. */
const circleless = fc
  .array(fc.array(fc.nat(11), { maxLength: 4 }), { maxLength: 12 })
  .map((rows) =>
    rows.map((row, index) => unit(`u${index}`, ...row.filter((other) => other < index).map((other) => `u${other}`))),
  )
  .chain((units) => fc.shuffledSubarray(units, { minLength: units.length }));

describe('the order of units', () => {
  test('each comes after what it depends on, and none is lost', () => {
    fc.assert(
      fc.property(circleless, (units) => {
        const names = namesOf(orderUnits(units));
        expect(names.toSorted()).toEqual(namesOf(units).toSorted());
        for (const { name, depends_on } of units) {
          for (const other of depends_on) expect(names.indexOf(other)).toBeLessThan(names.indexOf(name));
        }
      }),
    );
  });

  test('what is in order already stays as it is', () => {
    fc.assert(
      fc.property(circleless, (units) => {
        const once = orderUnits(units);
        expect(orderUnits(once)).toEqual(once);
      }),
    );
    expect(namesOf(orderUnits([{ name: 'b' }, { name: 'a' }]))).toEqual(['b', 'a']);
  });

  test('a circle anywhere is refused with its names', () => {
    fc.assert(
      fc.property(circleless, fc.nat(), (units, pick) => {
        fc.pre(units.length > 1);
        const ordered = orderUnits(units);
        const [first, last] = [ordered[0], ordered[1 + (pick % (ordered.length - 1))]];
        if (first === undefined || last === undefined) return;
        const circle = units.map((one) =>
          one === first ? unit(one.name, last.name) : one === last ? unit(one.name, first.name) : one,
        );
        expect(() => orderUnits(circle)).toThrow(expect.objectContaining({ code: 'manifest.invalid' }));
      }),
    );
    const three = [unit('z'), unit('a', 'b'), unit('b', 'c', 'z'), unit('c', 'a')];
    expect(() => orderUnits(three)).toThrow('a -> b -> c -> a');
    expect(() => orderUnits([unit('a', 'a')])).toThrow('a -> a');
  });

  test('a name that is not there, or is there twice, is refused', () => {
    expect(() => orderUnits([unit('a', 'gone')])).toThrow('unit "a" depends on "gone"');
    expect(() => orderUnits([unit('a'), unit('a')])).toThrow('two units "a"');
  });
});

describe('what waits for units that do not run', () => {
  test('is all that depends on one of them, and never one of them', () => {
    const units = [unit('dns'), unit('edge', 'dns'), unit('exit', 'edge'), unit('other')];
    expect([...dependantsOf(units, ['dns'])]).toEqual(['edge', 'exit']);
    expect([...dependantsOf(units, ['dns', 'edge'])]).toEqual(['exit']);
    expect([...dependantsOf(units, [])]).toEqual([]);
  });

  test('the one that is waited for is named, and nobody waits for itself', () => {
    const units = [unit('dns'), unit('edge', 'dns'), unit('exit', 'edge'), unit('other')];
    const running = (...names: string[]) => units.map((one) => ({ ...one, isRunning: names.includes(one.name) }));
    expect(findHolder(running('edge', 'exit'), unit('exit', 'edge'))).toBe('dns');
    expect(findHolder(running('dns', 'edge'), unit('exit', 'edge'))).toBeUndefined();
    expect(findHolder(running('dns', 'edge'), unit('exit'))).toBeUndefined();
    expect(findHolder(running(), unit('dns'))).toBeUndefined();
    expect(findHolder(running(), unit('other'))).toBeUndefined();
  });

  test('what does not wait could run: nothing it depends on waits or is down', () => {
    fc.assert(
      fc.property(circleless, fc.nat(), (units, pick) => {
        fc.pre(units.length > 0);
        const down = units[pick % units.length]?.name ?? '';
        const waiting = dependantsOf(units, [down]);
        for (const { name, depends_on } of units) {
          const isBlocked = depends_on.some((other) => other === down || waiting.has(other));
          expect(waiting.has(name)).toBe(isBlocked);
        }
      }),
    );
  });
});

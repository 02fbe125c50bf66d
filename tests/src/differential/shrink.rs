//! Making a program that shows a difference shorter.

use super::program::{Program, Step};

/// Leaves steps out while the difference remains, for at most `tries` runs.
/// `differs` plays a program and tells whether there is a difference.
pub fn shrink(program: &Program, tries: usize, mut differs: impl FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    let mut left = tries;
    let mut chunk = best.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut from = 0;
        while from < best.steps.len() {
            if left == 0 {
                return best;
            }
            left -= 1;
            let shorter = without(&best, from, chunk);
            if differs(&shorter) {
                best = shorter;
            } else {
                from += chunk;
            }
        }
        chunk /= 2;
    }
    best
}

fn without(program: &Program, from: usize, count: usize) -> Program {
    let kept = |(at, step): (usize, &Step)| (at < from || at >= from + count).then_some(*step);
    Program { steps: program.steps.iter().enumerate().filter_map(kept).collect(), ..program.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_that_matter_are_left() {
        let program = Program::new(3);
        let (one, two) = (program.steps[7], program.steps[30]);
        let has_both = |program: &Program| program.steps.contains(&one) && program.steps.contains(&two);
        assert_eq!(shrink(&program, 1000, has_both).steps, [one, two]);
    }

    #[test]
    fn the_number_of_runs_is_bounded() {
        let program = Program::new(4);
        let mut runs = 0;
        let kept = shrink(&program, 5, |_| {
            runs += 1;
            false
        });
        assert_eq!((runs, kept), (5, program));
    }
}

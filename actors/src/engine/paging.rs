//! Pages that know whether another one follows.

use leasehold_backend::{PAGE_MAX, StoreResult};

/// Fetches a page of at most `limit` and [`PAGE_MAX`] items after a place.
///
/// The second part of the answer is the place of the last item, present only
/// when more follows. One item more than asked for is fetched to find that
/// out; a page that fills the store's own bound costs a second, short fetch.
pub(super) async fn page<T, K, F, Fut>(
    after: Option<K>,
    limit: usize,
    place: fn(&T) -> K,
    fetch: F,
) -> StoreResult<(Vec<T>, Option<K>)>
where
    F: Fn(Option<K>, usize) -> Fut,
    Fut: Future<Output = StoreResult<Vec<T>>>,
{
    let limit = limit.min(PAGE_MAX);
    if limit == 0 {
        return Ok((Vec::new(), None));
    }
    let mut items = fetch(after, (limit + 1).min(PAGE_MAX)).await?;
    let more = match items.last() {
        Some(_) if items.len() > limit => true,
        Some(last) if items.len() == PAGE_MAX => !fetch(Some(place(last)), 1).await?.is_empty(),
        _ => false,
    };
    items.truncate(limit);
    let next = if more { items.last().map(place) } else { None };
    Ok((items, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that holds the numbers below `count`.
    async fn numbers(count: usize, after: Option<usize>, limit: usize) -> (Vec<usize>, Option<usize>) {
        let fetch = |after: Option<usize>, limit: usize| async move {
            let first = after.map_or(0, |after| after + 1);
            Ok((first..count).take(limit.min(PAGE_MAX)).collect())
        };
        page(after, limit, |number| *number, fetch).await.unwrap()
    }

    #[tokio::test]
    async fn a_page_names_its_end_only_when_more_follows() {
        assert_eq!(numbers(5, None, 2).await, (vec![0, 1], Some(1)));
        assert_eq!(numbers(5, Some(1), 2).await, (vec![2, 3], Some(3)));
        assert_eq!(numbers(5, Some(3), 2).await, (vec![4], None));
        assert_eq!(numbers(4, Some(1), 2).await, (vec![2, 3], None));
        assert_eq!(numbers(0, None, 2).await, (vec![], None));
    }

    #[tokio::test]
    async fn a_limit_of_zero_gives_an_empty_page() {
        assert_eq!(numbers(5, None, 0).await, (vec![], None));
    }

    #[tokio::test]
    async fn a_page_that_fills_the_bound_still_knows_its_end() {
        for (count, limit, next) in [
            (PAGE_MAX, PAGE_MAX, None),
            (PAGE_MAX + 1, usize::MAX, Some(PAGE_MAX - 1)),
            (PAGE_MAX, PAGE_MAX - 1, Some(PAGE_MAX - 2)),
        ] {
            let (items, found) = numbers(count, None, limit).await;
            assert_eq!((items.len(), found), (limit.min(PAGE_MAX), next));
        }
    }
}

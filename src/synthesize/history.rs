//! Day by day through the calendar: who comes, what they buy, what comes back.
//!
//! A customer waits in the bucket of the day of the next order, so memory is 8 bytes a customer
//! and the returns that are due, and the orders come out in order of time without a sort of the
//! whole. Everything else about a customer is drawn anew from the seed.

use rand::Rng;

use super::customer::Customer;
use super::order::{Order, Visit};
use super::random::{self, Purpose};
use super::world::World;

/// A guest comes along with this share of the orders.
const GUEST_SHARE: f64 = 0.062;

/// A customer and the number of the order that is due.
struct Due {
    customer: u32,
    order: u32,
}

/// Calls `each` with every order, by day, then as [`Order::place`] has it; stops at its first
/// error.
pub fn generate<'w, E>(
    world: &'w World,
    customers: u32,
    mut each: impl FnMut(usize, &Order<'w>) -> Result<(), E>,
) -> Result<(), E> {
    let days = world.calendar.days();
    let mut due: Vec<Vec<Due>> = (0..days).map(|_| Vec::new()).collect();
    let mut returns: Vec<Vec<Order<'w>>> = (0..days).map(|_| Vec::new()).collect();
    for number in 0..customers {
        let Some(customer) = Customer::draw(world, Purpose::Customer, number, 0) else {
            continue;
        };
        if let Some(bucket) = due.get_mut(customer.arrival_day) {
            bucket.push(Due { customer: number, order: 0 });
        }
    }
    for day in 0..days {
        let comers = due.get_mut(day).map(std::mem::take).unwrap_or_default();
        let mut today = returns.get_mut(day).map(std::mem::take).unwrap_or_default();
        for comer in comers {
            let (visits, next) = visits(world, &comer, day);
            for visit in visits {
                today.push(visit.order);
                if let Some((delay, order)) = visit.returned
                    && let Some(bucket) = returns.get_mut(day + delay)
                {
                    bucket.push(order);
                }
            }
            if let Some(bucket) = next.and_then(|day| due.get_mut(day)) {
                bucket.push(Due { customer: comer.customer, order: comer.order + 1 });
            }
        }
        today.sort_unstable_by_key(Order::place);
        today.iter().try_for_each(|order| each(day, order))?;
    }
    Ok(())
}

/// The customer's order of the day, perhaps a guest's beside it, and the day of the next order.
fn visits<'w>(world: &'w World, due: &Due, day: usize) -> (Vec<Visit<'w>>, Option<usize>) {
    let origin = (due.customer, due.order);
    let mut visits = Vec::with_capacity(2);
    let Some(customer) = Customer::draw(world, Purpose::Customer, due.customer, 0) else {
        return (visits, None);
    };
    visits.push(Visit::draw(world, &customer, Purpose::Customer, origin, day));
    let rng = &mut random::stream(world.seed, Purpose::Timing, due.customer.into(), due.order.into());
    if rng.r#gen::<f64>() < GUEST_SHARE
        && let Some(guest) = Customer::draw(world, Purpose::Guest, due.customer, due.order)
    {
        visits.push(Visit::draw(world, &guest, Purpose::Guest, origin, day));
    }
    (visits, customer.next_day(&world.calendar, day, rng))
}

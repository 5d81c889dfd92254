//! What a chunk of customers did: their orders, and what came of them.

use std::ops::Range;

use rand::Rng;

use super::basket::{self, Line};
use super::customer::Customer;
use super::defect::{self, Kind};
use super::options::CUSTOMERS_MAX;
use super::random::{self, Purpose, Stream};
use super::world::World;

/// Customers whose history is made, sorted and written at once. Their rows are in order of time;
/// memory is in proportion to it. A part of the outcome: other chunks give other order ids.
pub const CHUNK_CUSTOMERS: u32 = 16_384;

/// A guest comes along with this share of the orders.
const GUEST_SHARE: f64 = 0.062;

/// No customer orders more often.
const ORDERS_MAX: u32 = 1_000;

/// Order ids are this, the chunk times the next, and the place in the chunk's order of time. With
/// at most [`ORDERS_MAX`] orders and guests and their returns a customer, ids never meet and keep
/// their twelve digits.
const ORDER_ID_FIRST: u64 = 100_000_000_001;
const ORDER_IDS_PER_CHUNK: u64 = 4 * (CHUNK_CUSTOMERS as u64) * (ORDERS_MAX as u64);

const _: () = assert!(ORDER_ID_FIRST + chunks(CUSTOMERS_MAX) as u64 * ORDER_IDS_PER_CHUNK < 1_000_000_000_000);

/// An order or, with negative quantities, a return.
#[derive(Debug, Clone)]
pub struct Order {
    /// Microseconds from 1970-01-01 (UTC).
    pub micros: i64,
    /// The number of the customer or of whom the guest came with.
    pub customer: u32,
    pub is_guest: bool,
    pub is_return: bool,
    pub country: u8,
    /// Counts a customer's orders, to sort those of one second.
    place: u32,
    lines: Range<u32>,
    /// The line that is bad.
    pub defect: Option<(usize, Kind)>,
}

/// A customer and what is true of them at the end.
#[derive(Debug)]
pub struct Fate {
    pub customer: Customer,
    /// Orders in the period; returns and guests' do not count.
    pub orders: u32,
    /// When they dropped out, in days; none for who is still there.
    pub dropped_out: Option<f64>,
}

/// A chunk of customers, by number, and their orders, by time.
#[derive(Debug, Default)]
pub struct History {
    pub chunk: u32,
    pub first_customer: u32,
    pub fates: Vec<Fate>,
    pub orders: Vec<Order>,
    lines: Vec<Line>,
}

/// How many chunks customers make.
pub const fn chunks(customers: u32) -> u32 {
    customers.div_ceil(CHUNK_CUSTOMERS)
}

/// The random streams of one customer.
struct Streams {
    basket: Stream,
    sent_back: Stream,
    defects: Stream,
}

impl History {
    /// Draws everything about the customers of a chunk.
    pub fn new(world: &World, chunk: u32) -> Self {
        let first = chunk * CHUNK_CUSTOMERS;
        let last = first.saturating_add(CHUNK_CUSTOMERS).min(world.customers);
        let mut history = Self { chunk, first_customer: first, ..Self::default() };
        history.fates.reserve((last - first) as usize);
        for number in first..last {
            let fate = history.live(world, number);
            history.fates.push(fate);
        }
        history.orders.sort_unstable_by_key(|order| (order.micros, order.customer, order.place));
        history
    }

    pub fn lines(&self, order: &Order) -> &[Line] {
        self.lines.get(order.lines.start as usize..order.lines.end as usize).unwrap_or_default()
    }

    /// The id of the order at a place in `orders`, without the `C` of a return.
    pub fn order_number(&self, place: usize) -> u64 {
        ORDER_ID_FIRST + u64::from(self.chunk) * ORDER_IDS_PER_CHUNK + place as u64
    }

    /// Rows of transactions, duplicates among them.
    pub fn rows(&self) -> usize {
        let duplicates = self.orders.iter().filter(|order| matches!(order.defect, Some((_, Kind::DuplicateRow))));
        self.lines.len() + duplicates.count()
    }

    /// A customer's life: orders at the moments of a Poisson process in seasonal time, until they
    /// drop out after one, or the period ends.
    fn live(&mut self, world: &World, number: u32) -> Fate {
        let stream = |purpose| random::stream(world.seed, purpose, number.into(), 0);
        let customer = Customer::draw(world, Purpose::Customer, number, 0);
        let mut timing = stream(Purpose::Timing);
        let mut streams = Streams {
            basket: stream(Purpose::Basket),
            sent_back: stream(Purpose::Return),
            defects: stream(Purpose::Defect),
        };
        let mut fate = Fate { customer, orders: 0, dropped_out: None };
        let customer = &fate.customer;
        let mut at = customer.arrival;
        let mut place = 0;
        loop {
            place = self.order(world, customer, (number, place, false), at, &mut streams);
            fate.orders += 1;
            if timing.r#gen::<f64>() < GUEST_SHARE {
                let guest = Customer::draw(world, Purpose::Guest, number, fate.orders);
                place = self.order(world, &guest, (number, place, true), at, &mut streams);
            }
            let leaves = timing.r#gen::<f64>() < customer.drop_out;
            if customer.one_time || (leaves && fate.orders > 1) {
                fate.dropped_out = Some(at);
                break;
            }
            let Some(clock) = world.clocks.get(customer.segment) else { break };
            let due = clock.seasonal(at) + random::exponential(&mut timing, customer.rate);
            match clock.moment(due) {
                Some(next) if next < world.calendar.days() as f64 && fate.orders < ORDERS_MAX => at = next,
                _ => break,
            }
        }
        fate
    }

    /// Adds an order and perhaps its return; gives the next free place.
    fn order(
        &mut self,
        world: &World,
        customer: &Customer,
        who: (u32, u32, bool),
        at: f64,
        streams: &mut Streams,
    ) -> u32 {
        let (number, place, is_guest) = who;
        let first = self.lines.len();
        basket::fill(world, customer, at as usize, &mut streams.basket, &mut self.lines);
        let middle = self.lines.len();
        let order = Order {
            micros: world.calendar.open_micros(at),
            customer: number,
            is_guest,
            is_return: false,
            country: customer.country as u8,
            place,
            lines: first as u32..middle as u32,
            defect: defect::of_order(world, middle - first, &mut streams.defects),
        };
        let delay = basket::send_back(world, first, &mut streams.sent_back, &mut self.lines);
        let back_at = delay.map(|delay| at + delay).filter(|at| *at < world.calendar.days() as f64);
        if let Some(back_at) = back_at {
            let end = self.lines.len();
            self.orders.push(Order {
                micros: world.calendar.open_micros(back_at),
                is_return: true,
                place: place + 1,
                lines: middle as u32..end as u32,
                defect: defect::of_order(world, end - middle, &mut streams.defects),
                ..order.clone()
            });
        } else {
            // What comes back after the last day is not seen.
            self.lines.truncate(middle);
        }
        self.orders.push(order);
        place + 2
    }
}

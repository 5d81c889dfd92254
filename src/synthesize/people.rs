//! Names and addresses of people who do not exist.

use rand::Rng;

use super::customer::Customer;
use super::random::{self, Purpose};
use super::tables::customer_id;
use super::world::World;

const GIVEN: &str = "Ada, Amir, Anna, Ben, Carla, Chen, Clara, David, Elena, Emma, Felix, Fiona, George, Grace, Hana, \
    Hugo, Ines, Ivan, Jack, Julia, Karim, Laura, Leo, Lina, Lucas, Maria, Marta, Mei, Nina, Noah, Olga, Omar, Paul, \
    Petra, Rosa, Ruth, Sara, Sofia, Tom, Wei, Yara, Zoe";
const FAMILY: &str = "Adler, Baker, Bauer, Bell, Carter, Costa, Dubois, Evans, Fischer, Garcia, Hall, Hansen, Hughes, \
    Ito, Jansen, Keller, Khan, King, Kowalski, Laurent, Li, Lopez, Martin, Meyer, Moreau, Murphy, Novak, OBrien, \
    Patel, Peeters, Price, Ricci, Roux, Santos, Silva, Smith, Taylor, Visser, Walsh, Wang, Weber, Young";

/// The domains that RFC 2606 reserves, so no mail can reach anyone.
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// The languages of descriptions; the first is most customers'.
pub const LANGUAGES: [&str; 2] = ["en", "zh"];
const CHINESE_SHARE: f64 = 0.04;

/// What may be done with a customer's data, with the share of those who agree.
pub const PURPOSES: [(&str, f64); 3] = [("email", 0.62), ("sms", 0.31), ("profiling", 0.74)];
pub const STATUSES: [&str; 2] = ["granted", "withdrawn"];

/// What a shop knows of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub birth_year: i32,
    /// Place in [`LANGUAGES`].
    pub language: usize,
}

/// The word lists, taken apart once.
#[derive(Debug)]
pub struct People {
    given: Vec<&'static str>,
    family: Vec<&'static str>,
}

impl Default for People {
    fn default() -> Self {
        Self { given: GIVEN.split(", ").collect(), family: FAMILY.split(", ").collect() }
    }
}

impl People {
    /// The person that a customer number stands for. Nothing about them says how they buy.
    pub fn person(&self, world: &World, number: u32) -> Person {
        let rng = &mut random::stream(world.seed, Purpose::Person, number.into(), 0);
        let mut word = |words: &[&'static str]| words.get(rng.gen_range(0..words.len())).copied().unwrap_or_default();
        let (given, family, domain) = (word(&self.given), word(&self.family), word(&DOMAINS));
        let local = format!("{given}.{family}").to_lowercase();
        Person {
            name: format!("{given} {family}"),
            email: format!("{local}{}@{domain}", customer_id(number)),
            birth_year: 1_945 + (rng.gen_range(0..32) + rng.gen_range(0..32)),
            language: usize::from(rng.r#gen::<f64>() < CHINESE_SHARE),
        }
    }
}

/// One answer to the question for consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// Place in [`STATUSES`].
    pub status: usize,
    /// Days from the first day: from the first order to the last day.
    pub updated_day: usize,
}

/// A customer's answer for each of [`PURPOSES`].
pub fn consents(world: &World, number: u32, customer: &Customer) -> [Consent; PURPOSES.len()] {
    let rng = &mut random::stream(world.seed, Purpose::Consent, number.into(), 0);
    let arrival = customer.arrival as usize;
    let last = world.calendar.days().saturating_sub(1).max(arrival);
    PURPOSES.map(|(_, share)| Consent {
        status: usize::from(rng.r#gen::<f64>() >= share),
        updated_day: rng.gen_range(arrival..=last),
    })
}

//! What was sealed opens where it belongs and nowhere else.

use std::collections::BTreeSet;
use std::sync::Arc;

use isthmus_model::name::FullName;
use isthmus_model::sealed::{SealedSecrets, SealingKey};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn component() -> FullName {
    "public/default/greet".parse().unwrap()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()))).collect()
}

fn sealed(pairs: &[(&str, &str)], keys: &[&PrivateKey]) -> SealedSecrets {
    let keys: BTreeSet<SealingKey> = keys.iter().map(|key| key.public()).collect();
    seal(&component(), &values(pairs), &keys).unwrap()
}

#[test]
fn every_cluster_that_it_is_sealed_for_opens_it_and_no_other() {
    let (east, west, north) = (PrivateKey::generate(), PrivateKey::generate(), PrivateKey::generate());
    let sealed = sealed(&[("PASSWORD", "hunter2"), ("EMPTY", "")], &[&east, &west]);
    for key in [&east, &west] {
        let share = sealed.share(Some(key.public().id()));
        assert_eq!(
            open(&component(), &share, key).unwrap(),
            values(&[("PASSWORD", "hunter2"), ("EMPTY", "")])
        );
    }
    let refused = open(&component(), &sealed, &north).unwrap_err();
    assert_eq!(refused, OpenError::NotForThisKey(north.public().id()));
    let other = sealed.share(Some(west.public().id()));
    assert!(matches!(open(&component(), &other, &east), Err(OpenError::NotForThisKey(_))));
}

#[test]
fn a_key_that_was_kept_opens_what_was_sealed_before() {
    let key = PrivateKey::generate();
    let sealed = sealed(&[("A", "1")], &[&key]);
    let kept = PrivateKey::from_bytes(key.to_bytes());
    assert_eq!(kept.public(), key.public());
    assert_eq!(open(&component(), &sealed, &kept).unwrap().get("A"), Some("1"));
}

#[test]
fn what_was_moved_to_another_component_does_not_open_and_says_so() {
    let key = PrivateKey::generate();
    let sealed = sealed(&[("A", "1")], &[&key]);
    for other in ["public/default/greets", "public/other/greet", "other/default/greet"] {
        let other: FullName = other.parse().unwrap();
        assert_eq!(open(&other, &sealed, &key), Err(OpenError::DataKey(other)));
    }
}

#[test]
fn what_was_moved_to_another_name_does_not_open_and_says_which() {
    let key = PrivateKey::generate();
    let mut sealed = sealed(&[("A", "1"), ("B", "2")], &[&key]);
    let values = Arc::make_mut(&mut sealed.values);
    let (a, b) = (values["A"].clone(), values["B"].clone());
    values.insert("A".to_owned(), b);
    values.insert("B".to_owned(), a);
    let refused = open(&component(), &sealed, &key).unwrap_err();
    assert_eq!(refused, OpenError::Value("A".to_owned()));
    assert!(refused.to_string().contains("another name"), "{refused}");
}

#[test]
fn a_value_of_another_sealing_does_not_open_under_this_data_key() {
    let key = PrivateKey::generate();
    let (mut new, old) = (sealed(&[("A", "1")], &[&key]), sealed(&[("A", "1")], &[&key]));
    new.values = old.values;
    assert_eq!(open(&component(), &new, &key), Err(OpenError::Value("A".to_owned())));
}

#[test]
fn the_same_values_never_look_the_same_twice() {
    let key = PrivateKey::generate();
    let (one, other) = (sealed(&[("A", "1")], &[&key]), sealed(&[("A", "1")], &[&key]));
    assert_ne!(one.digest(), other.digest());
}

#[test]
fn what_cannot_be_taken_is_not_sealed() {
    let key = BTreeSet::from([PrivateKey::generate().public()]);
    let refused =
        |values: Values, keys: &BTreeSet<SealingKey>| seal(&component(), &values, keys).unwrap_err();
    assert_eq!(refused(values(&[("A", "1")]), &BTreeSet::new()), SealError::NoKeys(component()));
    let large = "x".repeat(SealedSecrets::LARGEST_VALUE + 1);
    assert_eq!(refused(values(&[("A", &large)]), &key), SealError::TooLarge("A".to_owned()));
    assert_eq!(refused(values(&[("A", "a\0b")]), &key), SealError::ZeroByte("A".to_owned()));
    let many = (0..=SealedSecrets::MOST_VALUES).map(|n| (format!("S{n}"), Zeroizing::new(String::new())));
    assert_eq!(refused(many.collect(), &key), SealError::TooManyValues(SealedSecrets::MOST_VALUES + 1));
    let full = "x".repeat(SealedSecrets::LARGEST_VALUE);
    let together = (0..5).map(|n| (format!("S{n}"), Zeroizing::new(full.clone())));
    assert_eq!(refused(together.collect(), &key), SealError::TooLargeTogether);
    let zero = BTreeSet::from([SealingKey([0; 32])]);
    assert_eq!(refused(values(&[("A", "1")]), &zero), SealError::BadKey(SealingKey([0; 32]).id()));
}

#[test]
fn neither_keys_nor_values_are_shown() {
    let key = PrivateKey::from_bytes(Zeroizing::new([0xab; 32]));
    assert!(!format!("{key:?}").contains("abab"));
    assert_eq!(format!("{:?}", values(&[("A", "hunter2")])), "{\"A\"}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whichever_bit_is_turned_it_does_not_open(value in "[a-z]{0,40}", at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let key = PrivateKey::generate();
        let mut sealed = sealed(&[("A", &value)], &[&key]);
        let id = key.public().id();
        let (nonce, text) = (12, sealed.values["A"].ciphertext.len());
        let mut at = at.index(nonce + text + 32 + 48);
        let values = Arc::make_mut(&mut sealed.values);
        let (one, sealed_key) = (values.get_mut("A").unwrap(), sealed.keys.get_mut(&id).unwrap());
        let parts: [&mut [u8]; 4] =
            [&mut one.nonce, &mut one.ciphertext, &mut sealed_key.encapsulated, &mut sealed_key.ciphertext];
        for part in parts {
            if let Some(byte) = part.get_mut(at) {
                *byte ^= 1 << bit;
                break;
            }
            at -= part.len();
        }
        // The highest bit of an X25519 public key is not looked at, by its definition; it is part of HPKE's context, though.
        prop_assert!(open(&component(), &sealed, &key).is_err());
    }

    #[test]
    fn whatever_is_sealed_comes_back(value in "[^\0]{0,200}") {
        let key = PrivateKey::generate();
        let sealed = sealed(&[("A", &value)], &[&key]);
        let opened = open(&component(), &sealed, &key).unwrap();
        prop_assert_eq!(opened.get("A"), Some(value.as_str()));
    }
}

//! The same package gives the same results, statuses, exceptions and logs on this machine and on the cluster.

use rutter_e2e::{
    Package,
    contract::{cases, run},
};

use crate::bed;

#[test]
fn the_same_on_this_machine_and_on_the_cluster() {
    let _turn = bed::turn();
    let cases = cases();
    let packages: Vec<Package> = cases.iter().map(|case| case.package.clone()).collect();
    let local = bed::local(&packages).start();
    let cluster = bed::server(&packages).start();
    for case in &cases {
        let there = run(&local.client(), case);
        let here = run(&cluster.client(), case);
        assert_eq!(here, there, "{}", case.package.id());
        here.check(case);
    }
}

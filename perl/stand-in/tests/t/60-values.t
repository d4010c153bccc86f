# Perl values that are passed through Rust as they are. Expectations measured with
# perlmod 0.14.0.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn;

my $data = { a => [1], code => sub { 5 } };
for my $name (qw(pass pass_raw)) {
    my $pass = StandIn::Out->can($name);
    is($pass->($data), $data, "$name: the very same reference");
    is($pass->('text'), 'text', "$name: a string");
    is($pass->('☃'), '☃', "$name: other characters");
    is($pass->(1.5), 1.5, "$name: a float");
    is_deeply([$pass->(undef)], [undef], "$name: undef");
    is($pass->($data->{code})->(), 5, "$name: code");
    is(ref($pass->(bless([], 'Foo'))), 'Foo', "$name: an object");
}
is(StandIn::Out::pass_raw_result($data, 0), $data, 'in a result');
is(error_of(sub { StandIn::Out::pass_raw_result($data, 1) }), "bad\n", 'in place of which is an error');
is_deeply([StandIn::Out::pass_raw_pair(1, $data)], [$data, 1], 'in a list');
my $inside = StandIn::Out::pass_inside({ text => 't', value => $data });
is_deeply($inside, { text => 't', value => $data }, 'inside a structure');
is($inside->{value}, $data, 'the very same reference, too');
is_deeply([StandIn::Out::pass_list([$data, 'x'])], [$data, 'x'], 'from a list');
is_deeply([StandIn::Out::pass_option(undef)], [undef], 'an option without a value');
is(StandIn::Out::pass_option('x'), 'x', 'an option with a scalar');

is(StandIn::Out::made('int'), -5, 'a made integer');
is(StandIn::Out::made('uint'), '18446744073709551615', 'a made unsigned integer');
is(StandIn::Out::made('float'), 0.5, 'a made float');
is(StandIn::Out::made('text'), '☃', 'a made string');
is(StandIn::Out::made('bytes'), "\xe4", 'made bytes');
is_deeply([StandIn::Out::made('')], [undef], 'a made undef');
is_deeply(StandIn::Out::encoded(), ['a', 'b'], 'an encoded value');
is_deeply([StandIn::Out::encoded_unit()], [undef, 1], 'an encoded unit is undef');
is_deeply(StandIn::In::from_value(['a', 'b']), ['a', 'b'], 'a decoded value');
is(
    error_of(sub { StandIn::In::from_value(['a', []]) }),
    "error: invalid type: sequence, expected a string\n",
    'which may fail',
);

# counts of references
{
    package Counted;
    our $destroyed = 0;
    sub DESTROY { $destroyed++ }
}
{
    my $object = bless({}, 'Counted');
    StandIn::Out::pass($object);
    my $again = StandIn::Out::pass_inside({ text => '', value => $object });
    error_of(sub { StandIn::Out::pass_raw_result($object, 1) });
    is($Counted::destroyed, 0, 'alive while it is used');
}
is($Counted::destroyed, 1, 'and destroyed when it is not');
StandIn::Out::pass(bless({}, 'Counted'));
is($Counted::destroyed, 2, 'a temporary is destroyed after the call');

done_testing();

package PVE::JSONSchema;

# A double of PVE::JSONSchema with the functions that are used here.

use v5.36;

use Exporter qw(import);

use PVE::Exception qw(raise);

our @EXPORT_OK = qw(get_standard_option);

sub get_standard_option($name, $more = {}) {
    my $optional = $name eq 'pve-config-digest' ? 1 : 0;
    return { type => 'string', description => $name, optional => $optional, %$more };
}

my $number = qr/\A-?\d+\z/;

# What is wrong with a value, by its place.
my sub problems($value, $schema, $place) {
    my $type = $schema->{type} // 'object';
    return ($place => 'null expected') if $type eq 'null' && defined($value);
    return () if $type eq 'null';

    if ($type eq 'array') {
        return ($place => 'not an array') if ref($value) ne 'ARRAY';
        return map { __SUB__->($value->[$_], $schema->{items}, "$place\[$_\]") } 0 .. $#$value;
    }
    if ($type eq 'object') {
        return ($place => 'not a hash') if ref($value) ne 'HASH';
        my ($known, $more) = $schema->@{qw(properties additionalProperties)};
        my $below = length($place) ? "$place." : '';
        my @found;
        for my $name (keys %$known) {
            if (defined($value->{$name})) {
                push @found, __SUB__->($value->{$name}, $known->{$name}, "$below$name");
            } elsif (!$known->{$name}->{optional}) {
                push @found, "$below$name" => 'property is missing and it is not optional';
            }
        }
        for my $name (grep { !$known->{$_} } keys %$value) {
            push @found, "$below$name" => 'property is not defined in schema'
                if defined($more) && !$more;
            push @found, __SUB__->($value->{$name}, $more, "$below$name") if ref($more);
        }
        return @found;
    }

    return ($place => "expected a $type") if ref($value);
    return ($place => "type check ('$type') failed") if $type eq 'integer' && $value !~ $number;
    return ($place => "type check ('$type') failed") if $type eq 'boolean' && $value !~ m/\A[01]?\z/;
    return ($place => 'value is not in the enumeration')
        if $schema->{enum} && !grep { $_ eq $value } $schema->{enum}->@*;
    return ($place => 'value does not match the regex pattern')
        if defined($schema->{pattern}) && $value !~ m/^$schema->{pattern}$/;
    return ($place => 'value is too long')
        if defined($schema->{maxLength}) && length($value) > $schema->{maxLength};
    return ($place => 'value is too small')
        if defined($schema->{minimum}) && $value =~ $number && $value < $schema->{minimum};
    return ();
}

sub validate($value, $schema, $message = "Parameter verification failed.\n") {
    my %problems = problems($value, $schema, '');
    raise($message, code => 400, errors => \%problems) if %problems;
    return;
}

1;
